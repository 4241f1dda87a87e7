"""The command `dogid`: load the subcommand's module, parse its flags, turn errors into messages."""

import os
import sys
from collections.abc import Iterable, Sequence

from dogid.commands.command_list import COMMANDS
from dogid.commands.command_parsers import load_command, make_command_parser, make_top_parser, suggest_flag
from dogid.commands.output import print_message
from dogid.errors import DogidError, UsageError
from dogid.system.extras import make_install_command
from dogid.system.garbage_collection import collect_seldom

_CONVERT_EXTRA = frozenset(
    {"ai_edge_quantizer", "dogid_convert", "flatbuffers", "matplotlib", "rich", "scipy", "tensorflow", "tf_keras"}
)
"""Modules that only the extra `dogid[convert]` installs."""

_SHELL_INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run `dogid ARGV...` and return its exit status: 0 success, 1 something failed, 2 wrong usage."""
    args = list(sys.argv[1:] if argv is None else argv)
    collect_seldom()
    # Read when numpy is loaded. Matrices are small here: another thread brings nothing, and spins for a tenth of a
    # second once it is there, which makes each start a quarter more expensive.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
            f"(not the device): {make_install_command('convert')}",
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
        make_top_parser().print_help(sys.stderr)
        return UsageError.exit_status
    if args[0] not in COMMANDS:
        _suggest_word(args[0], ("--version", "--help") if args[0].startswith("-") else COMMANDS)
        make_top_parser().parse_args(args)
        raise UsageError(f"{args[0]}: put the command first, then its flags")
    name, *rest = args
    command = COMMANDS[name]
    module = load_command(command)
    parser = make_command_parser(name, module)
    parse = parser.parse_known_intermixed_args if command.mixes_flags else parser.parse_known_args
    parsed, unknown = parse(rest)
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{suggest_flag(unknown, parser)}")
    return module.run(parsed)


def _suggest_word(word: str, known: Iterable[str]) -> None:
    """Raise UsageError where a word may be a misspelling of a known one, and is not its beginning."""
    from dogid.config_file import find_closest  # most calls need no suggestion

    known = set(known)
    near = None if any(one.startswith(word) for one in known) else find_closest(word, known)
    if near is not None:
        kind = "flag" if word.startswith("-") else "command"
        raise UsageError(f"{word}: no such {kind}; did you mean `dogid {near}`?")
