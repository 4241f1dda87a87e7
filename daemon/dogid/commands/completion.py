"""`dogid completion SHELL`: a script that completes commands, flags and files."""

import argparse
from collections.abc import Iterator

from dogid.commands.command_parsers import make_whole_parser
from dogid.commands.output import print_line

_FILES = frozenset({"FILE", "PATH", "FILE|DIR", "MODEL", "MODEL.tflite", "GRAPH", "FILE... LABEL", "OLD", "NEW"})
_FOLDERS = frozenset({"DIR", "PHOTOS"})
"""Arguments, by how the help names them, for which the shell offers files or folders."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add SHELL."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    import shtab  # no other command needs it

    parser = make_whole_parser()
    for action in _iterate_actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    print_line(shtab.complete(parser, shell=args.shell))
    return 0


def _iterate_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of those below it."""
    for action in parser._actions:  # argparse has no other list of them, and shtab reads this one, too
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _iterate_actions(below)
