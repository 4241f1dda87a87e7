"""The command `dogid`: finds the sub-command's module, parses its flags, turns errors into messages."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from dogid import __version__
from dogid.commands.output import print_message
from dogid.errors import DogidError, UsageError


class CommandModule(Protocol):
    """What a command's module offers. It imports heavy packages only inside `run`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's flags."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit status."""


@dataclass(frozen=True)
class Command:
    """A sub-command: where its code lives, what it does."""

    module: str
    help: str


COMMANDS = {
    "run": Command("dogid.commands.run", "watch the inbox and classify what arrives (the daemon)"),
    "classify": Command("dogid.commands.classify", "classify files and folders once, without a daemon"),
    "results": Command("dogid.commands.results", "list what a daemon has found"),
    "status": Command("dogid.commands.status", "how a daemon is doing"),
    "why": Command("dogid.commands.why", "the whole history of one photo"),
    "audit": Command("dogid.commands.audit", "compare the inbox with the ledger: nothing lost, nothing twice"),
    "check": Command("dogid.commands.check", "would the daemon work here? model, folders, limits, port"),
    "bench": Command("dogid.commands.bench", "how fast this device is: decoding, the model, folder to result"),
    "service": Command("dogid.commands.service", "install, uninstall or look at the systemd service"),
    "model": Command("dogid.commands.model", "show what a model file tells of itself, and check it"),
    "retrain": Command("dogid_convert.commands.retrain", "train a model on labelled folders of your photos"),
    "convert": Command("dogid_convert.commands.convert", "turn a retrained graph into a .tflite model"),
    "data": Command("dogid_convert.commands.data", "versions of the training data: what changed?"),
}

_CONVERT_EXTRA = frozenset(
    {"ai_edge_quantizer", "dogid_convert", "flatbuffers", "matplotlib", "rich", "sklearn", "tensorflow", "tf_keras"}
)
"""Modules that only the extra `dogid[convert]` installs."""

_SHELL_INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run `dogid ARGV...` and return its exit status: 0 done, 1 something failed, 2 wrong usage."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(args)
    except DogidError as error:
        return _complain(str(error), error.exit_status)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _CONVERT_EXTRA:
            return _fault(error)
        return _complain(
            f"`dogid {args[0]}` needs {error.name}, which is not installed here. On the machine where you train "
            "(not the device): pip install 'dogid[convert]'",
            UsageError.exit_status,
        )
    except KeyboardInterrupt:
        return _SHELL_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone: not an error. Python would complain again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _fault(error)


def _fault(error: Exception) -> int:
    """What no command foresaw: a line for the user, and the traceback for who mends it."""
    if os.environ.get("DOGID_DEBUG"):
        raise error
    kind = type(error).__name__
    more = "" if isinstance(error, OSError) else "; DOGID_DEBUG=1 shows where it happened"
    return _complain(f"{kind}: {error}{more}", DogidError.exit_status)


def _complain(message: str, exit_status: int) -> int:
    print_message(message)
    return exit_status


def _dispatch(args: list[str]) -> int:
    if not args:
        _top_parser().print_help(sys.stderr)
        return UsageError.exit_status
    if args[0] not in COMMANDS:
        _top_parser().parse_args(args)
        raise UsageError(f"{args[0]}: give the command first, then its flags")
    name, *rest = args
    command = COMMANDS[name]
    module = cast(CommandModule, importlib.import_module(command.module))
    parser = argparse.ArgumentParser(prog=f"dogid {name}", description=command.help.capitalize() + ".")
    module.add_arguments(parser)
    return module.run(parser.parse_args(rest))


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="dogid",
        description="Classify the photos of a folder, on this machine.",
        epilog="commands:\n" + "\n".join(lines) + "\n\n`dogid COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dogid {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    return parser
