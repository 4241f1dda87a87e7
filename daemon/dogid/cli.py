"""The command `dogid`: load the subcommand's module, parse its flags, turn errors into messages."""

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
from dogid.system.garbage_collection import collect_seldom


class CommandModule(Protocol):
    """The interface of a command's module. It imports heavy packages only inside `run`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments and flags to its parser."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command and return the exit status. Raise DogidError for what the user can fix."""


@dataclass(frozen=True)
class Command:
    """A subcommand: its module, and its line in the help."""

    module: str
    help: str
    mixes_flags: bool = False
    """Whether flags may stand between its arguments; not where it has commands of its own."""


COMMANDS = {
    "run": Command("dogid.commands.run", "run the daemon: watch the inbox and classify new photos"),
    "classify": Command("dogid.commands.classify", "classify files and folders once, without a daemon"),
    "results": Command("dogid.commands.results", "list the results of a daemon"),
    "status": Command("dogid.commands.status", "count photos by state, and show whether a daemon runs"),
    "why": Command("dogid.commands.why", "show the history of one photo"),
    "label": Command("dogid.commands.label", "say what photos show: kept beside the model's answers", mixes_flags=True),
    "export": Command("dogid.commands.export", "write results for spreadsheets, Timelapse or GBIF"),
    "sort": Command("dogid.commands.sort", "copy or link photos into folders by label; undo that"),
    "learn": Command("dogid.commands.learn", "make a new model of what people said about photos"),
    "replay": Command("dogid.commands.replay", "answer stored photos again by another model: what would change"),
    "forget": Command("dogid.commands.forget", "delete results of photos that have left the inbox"),
    "backup": Command("dogid.commands.backup", "save results and models to a file, also while the daemon runs"),
    "restore": Command("dogid.commands.restore", "put results and models of a backup back; the present ones are kept"),
    "audit": Command("dogid.commands.audit", "compare the inbox with the ledger: photos lost or counted twice"),
    "check": Command("dogid.commands.check", "check model, folders, watch, disk and port"),
    "outputs": Command("dogid.commands.outputs", "list the outputs, and what waits or was refused; test one"),
    "rules": Command("dogid.commands.rules", "show what rules would have sent"),
    "bench": Command("dogid.commands.bench", "measure decoding, inference and throughput on this device"),
    "judge": Command("dogid.commands.judge", "measure how good a model is on labelled photos"),
    "service": Command("dogid.commands.service", "install, remove or show the systemd service"),
    "model": Command("dogid.commands.model", "show and verify the metadata of a model file"),
    "train": Command("dogid_convert.commands.train", "train a model on labelled photos: retrain and convert in one"),
    "retrain": Command("dogid_convert.commands.retrain", "train a graph on photos in labelled folders"),
    "convert": Command("dogid_convert.commands.convert", "convert a retrained graph to a .tflite model"),
    "data": Command("dogid_convert.commands.data", "export photos that people labelled; compare versions"),
}

_CONVERT_EXTRA = frozenset(
    {"ai_edge_quantizer", "dogid_convert", "flatbuffers", "matplotlib", "rich", "scipy", "tensorflow", "tf_keras"}
)
"""Modules that only the extra `dogid[convert]` installs."""

_SHELL_INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run `dogid ARGV...` and return its exit status: 0 success, 1 something failed, 2 wrong usage."""
    args = list(sys.argv[1:] if argv is None else argv)
    collect_seldom()
    try:
        status = _dispatch(args)
        sys.stdout.flush()  # a reader that has ended shows now, and not in the interpreter's shutdown
        return status
    except DogidError as error:
        return _report(str(error), error.exit_status)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _CONVERT_EXTRA:
            return _report_unexpected(error)
        return _report(
            f"`dogid {args[0]}` needs {error.name}, which is not installed here. On the machine where you train "
            "(not the device): pip install 'dogid[convert]'",
            UsageError.exit_status,
        )
    except KeyboardInterrupt:
        return _SHELL_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has ended: not an error. Python would report it again while closing stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _report_unexpected(error)


def _report_unexpected(error: Exception) -> int:
    """Report an unexpected error in one line; raise it again where DOGID_DEBUG is set, for its traceback."""
    if os.environ.get("DOGID_DEBUG"):
        raise error
    kind = type(error).__name__
    more = "" if isinstance(error, OSError) else "; DOGID_DEBUG=1 shows where it happened"
    return _report(f"{kind}: {error}{more}", DogidError.exit_status)


def _report(message: str, exit_status: int) -> int:
    print_message(message)
    return exit_status


def _dispatch(args: list[str]) -> int:
    if not args:
        _top_parser().print_help(sys.stderr)
        return UsageError.exit_status
    if args[0] not in COMMANDS:
        _top_parser().parse_args(args)
        raise UsageError(f"{args[0]}: put the command first, then its flags")
    name, *rest = args
    command = COMMANDS[name]
    module = cast(CommandModule, importlib.import_module(command.module))
    parser = argparse.ArgumentParser(prog=f"dogid {name}", description=f"{command.help[0].upper()}{command.help[1:]}.")
    module.add_arguments(parser)
    parse = parser.parse_intermixed_args if command.mixes_flags else parser.parse_args
    return module.run(parse(rest))


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        prog="dogid",
        description="Classify the photos in a folder on this machine.",
        epilog="commands:\n" + "\n".join(lines) + "\n\n`dogid COMMAND --help` shows its flags.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dogid {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    return parser
