"""The parsers of the command line: of one command, of `dogid` alone, and of all commands together."""

import argparse
import importlib
from collections.abc import Sequence
from typing import Protocol, TypedDict, cast

from dogid import __version__
from dogid.commands.command_list import COMMANDS, GROUPS, Command

FIRST_MINUTE = """\
the first minute:
  dogid run                    start here; it makes ./inbox and prints the page's address
  cp rex.jpg inbox/            in another terminal; any photo will do
  dogid results                what the photos show
  dogid label inbox/rex.jpg rottweiler     correct an answer; `dogid learn` learns from it"""
_WIDEST = 110  # columns; longer lines are hard to read
_DESCRIPTION = "Watch a folder and classify every new photo in it, on this machine."


class _LinesFormatter(argparse.HelpFormatter):
    """Wraps each line of a description or epilog by itself, where argparse would make one paragraph of all."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap  # only help needs it

        width = min(width, _WIDEST)
        return "\n".join(
            textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent) for line in text.splitlines()
        )


class _HelpTexts(TypedDict):
    description: str
    epilog: str
    formatter_class: type[argparse.HelpFormatter]


class CommandModule(Protocol):
    """The interface of a command's module. It imports heavy packages only inside `run`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments and flags to its parser."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return the exit status. Raise DogidError for what the user can fix."""


def load_command(command: Command) -> CommandModule:
    """Import a command's module."""
    return cast(CommandModule, importlib.import_module(command.module))


def make_command_parser(name: str, module: CommandModule) -> argparse.ArgumentParser:
    """Return the parser of the command NAME, whose module was loaded."""
    parser = argparse.ArgumentParser(prog=f"dogid {name}", **_help_texts(COMMANDS[name]))
    module.add_arguments(parser)
    return parser


def make_top_parser() -> argparse.ArgumentParser:
    """Return the parser for command lines without a command, whose help lists the commands."""
    parser = argparse.ArgumentParser(
        prog="dogid",
        usage="dogid COMMAND [-h] ...",
        description=f"{_DESCRIPTION}\n\n{FIRST_MINUTE}",
        epilog=f"{_list_commands()}\n\n`dogid COMMAND --help` shows what it does, an example and its flags.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dogid {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    return parser


def suggest_flag(words: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """Return which flag of a parser, or of its actions, the first unknown flag among words may be; "" for none."""
    from dogid.config_file import find_closest  # most calls need no suggestion

    word = next((word.partition("=")[0] for word in words if word.startswith("--")), None)
    near = None if word is None else find_closest(word.strip("-"), {flag.strip("-") for flag in _list_flags(parser)})
    return "" if near is None else f"; did you mean --{near}?"


def _list_flags(parser: argparse.ArgumentParser) -> set[str]:
    flags = set[str]()
    for action in parser._actions:
        flags.update(flag for flag in action.option_strings if flag.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                flags |= _list_flags(below)
    return flags


def make_whole_parser() -> argparse.ArgumentParser:
    """Return one parser that holds all commands, from which completion and the manual page are made."""
    parser = argparse.ArgumentParser(prog="dogid", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"dogid {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        load_command(command).add_arguments(commands.add_parser(name, help=command.help, description=command.help))
    return parser


def _help_texts(command: Command) -> _HelpTexts:
    """Return what a command's help says before and after its flags."""
    title = "example" if len(command.examples) == 1 else "examples"
    lines = [f"{title}:", *(f"  {example}" for example in command.examples), "", f"go on: {command.see}."]
    return {"description": command.about, "epilog": "\n".join(lines), "formatter_class": _LinesFormatter}


def _list_commands() -> str:
    width = max(map(len, COMMANDS))
    lines = []
    for title, names in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<{width}}  {COMMANDS[name].help}" for name in names]
    return "\n".join(lines[1:])
