"""`dogid check`: check whether the daemon would work with these settings. Changes nothing."""

import argparse
import contextlib
import errno
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands.output import print_json, print_table
from dogid.commands.reading_state import list_all_labels, load_settings_beside, owner_of
from dogid.conditions import find_unit, inbox_unwritable, no_rights
from dogid.daemon.folders import LOCK_FILE, is_running
from dogid.errors import DogidError
from dogid.file_names import one_line, quote_for_shell
from dogid.outputs.output import OutputError
from dogid.quantities import count_of
from dogid.settings import Settings

if TYPE_CHECKING:
    from dogid.outputs.configuration import OutputEntry

_MIN_FREE_BYTES = 50_000_000  # space of a hundred thousand results and SQLite's write-ahead log


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check."""

    name: str
    ok: bool
    detail: str
    """What was found; or what is wrong, and the way out."""
    warnings: tuple[str, ...] = ()
    """What works and may nevertheless be wrong."""

    @property
    def text(self) -> str:
        """What was found, and the warnings."""
        return "; warning: ".join([self.detail, *self.warnings])

    @property
    def verdict(self) -> str:
        """In one word, for people."""
        return "WRONG" if not self.ok else "warning" if self.warnings else "ok"


_Check = Callable[[Settings], str | tuple[str, ...]]
"""Returns what was found, and warnings behind it. Raise DogidError, OSError or _CheckFailedError where it is wrong."""


class _CheckFailedError(Exception):
    """A check failed; the text is the reason and the way out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the daemon, and --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; return 1 if one failed."""
    results = check_all(load_settings_beside(args))
    ok = all(result.ok for result in results)
    if args.json:
        checks = [{"name": item.name, "ok": item.ok, "detail": item.text} for item in results]
        print_json({"ok": ok, "checks": checks})
    else:
        print_table([(item.verdict, item.name, item.text) for item in results])
    return 0 if ok else 1


def check_all(chosen: Settings) -> list[CheckResult]:
    """Run every check, whether or not others fail."""
    results = [_run_check(name, check, chosen) for name, check in _CHECKS.items()]
    if chosen.outputs or chosen.rule:
        results += _check_outputs(chosen)
    return results


def _check_outputs(chosen: Settings) -> list[CheckResult]:
    """Check the tables of outputs and rules, and try the other side of each output that is enabled."""
    from dogid.outputs.configuration import read_configuration

    try:
        configuration = read_configuration(chosen)
    except DogidError as error:
        return [CheckResult("outputs", ok=False, detail=str(error))]
    results = [_run_check(f"output {entry.name}", _make_check(entry), chosen) for entry in configuration.outputs]
    return results + _check_rules(chosen)


def _check_rules(chosen: Settings) -> list[CheckResult]:
    """Check rules as the daemon does at its start, and whether they ask for what never was."""
    from dogid.outputs.alone import prepare_alone
    from dogid.outputs.rule_doubts import find_idle_outputs, find_rule_doubts

    try:
        prepared = prepare_alone(chosen)
    except DogidError as error:
        reason = str(error)  # of an output: said in its own line
        return [] if reason.startswith("outputs.") else [CheckResult("rules", ok=False, detail=reason)]
    rules = prepared.configuration.rules
    doubts = find_idle_outputs(prepared)
    # where the ledger is damaged, the check of the state says so
    with contextlib.ExitStack() as stack, contextlib.suppress(sqlite3.Error):
        ledger = _open_ledger(chosen, stack)
        doubts += find_rule_doubts(rules, list_all_labels(chosen, ledger), ledger)
    if not (rules or doubts):
        return []
    return [
        CheckResult("rules", ok=True, detail=", ".join(rule.name for rule in rules) or "none", warnings=tuple(doubts))
    ]


def _open_ledger(chosen: Settings, stack: contextlib.ExitStack) -> sqlite3.Connection | None:
    """Open the ledger for reading, until the stack ends; None where there is none that can be read."""
    from dogid.ledger.database import open_for_reading

    try:
        return stack.enter_context(contextlib.closing(open_for_reading(chosen.state.absolute())))
    except (DogidError, OSError, sqlite3.Error):
        return None  # the check of the state says why


def _make_check(entry: "OutputEntry") -> _Check:
    """Return the check of one output."""
    from dogid.outputs.alone import check_alone

    def check(chosen: Settings) -> str:
        if not entry.enabled:
            return "not enabled"
        try:
            return check_alone(entry, chosen)
        except (DogidError, OutputError, OSError):
            raise
        except Exception as error:  # of the output's own code
            raise _CheckFailedError(f"{type(error).__name__}: {error}") from error

    return check


def _run_check(name: str, check: _Check, chosen: Settings) -> CheckResult:
    try:
        found = check(chosen)
        detail, *warnings = (found,) if isinstance(found, str) else found
        return CheckResult(name, ok=True, detail=detail, warnings=tuple(warnings))
    except (_CheckFailedError, DogidError) as error:
        return CheckResult(name, ok=False, detail=str(error))
    except OutputError as error:
        return CheckResult(name, ok=False, detail=one_line(str(error)))
    except OSError as error:
        return CheckResult(name, ok=False, detail=f"{error.filename or name}: {error.strerror or error}")


def _check_model(chosen: Settings) -> tuple[str, ...]:
    from dogid.daemon.model_log import explain_unknown_thresholds
    from dogid.shelf.open_model import choose_model

    opened = choose_model(chosen)
    model, problem = opened.model, opened.found.problem
    proof = "passes its self-test" if model.file.golden else "self-test: unchecked, the file has no golden photo"
    return (
        f"{model.file.path}: {count_of(len(model.labels), 'label')}, fed {model.input.describe()}, {proof}",
        *model.warnings,
        *filter(None, [problem, explain_unknown_thresholds(model, chosen.thresholds)]),
    )


def _check_backend(chosen: Settings) -> str:
    from dogid.model.reference_photo import make_reference_photo
    from dogid.shelf.open_model import open_model

    model = open_model(chosen)
    reference_photo, classifier = make_reference_photo(model), model.classifier()
    began = time.perf_counter()
    deviation = reference_photo.find_deviation(classifier)
    milliseconds = (time.perf_counter() - began) * 1000
    if deviation is not None:
        raise _CheckFailedError(f"{model.backend.module}: wrong result: {deviation}; install dogid again")
    return f"{model.backend.module}, {milliseconds:.1f} ms for a small photo"


def _check_inbox(chosen: Settings) -> str:
    from dogid.inbox.inbox_condition import find_unreadable_folder, inbox_problem
    from dogid.inbox.mounts import file_system_type

    inbox = chosen.inbox.absolute()
    problem = inbox_problem(inbox)
    if not inbox.exists() and not is_running(chosen.state.absolute()):
        _require_writable(inbox.parent, f"the inbox {inbox} cannot be created")
        return f"{inbox}: will be created"
    problem = problem or find_unreadable_folder(inbox)
    if problem is not None:
        raise _CheckFailedError(one_line(problem))
    if chosen.allow_upload and not os.access(inbox, os.W_OK | os.X_OK):
        reason = OSError(errno.EACCES, os.strerror(errno.EACCES))
        raise _CheckFailedError(one_line(inbox_unwritable(inbox, reason, find_unit(chosen.state.absolute()))))
    return f"{inbox}: readable, {file_system_type(inbox)}{_describe_left_out(inbox)}"


def _describe_left_out(inbox: Path) -> str:
    """Return hints about unreadable files and links that are not followed, or "". The check passes nevertheless."""
    from dogid.inbox.inbox_condition import describe_links_out
    from dogid.inbox.permissions import chmod_hint
    from dogid.inbox.scan import ScanErrors, scan

    errors = ScanErrors({})
    files = (os.path.join(os.fsencode(inbox), file.path) for file in scan(inbox, errors))
    closed = [file for file in files if not os.access(file, os.R_OK)]
    hints = ""
    if closed:
        count = f"{count_of(len(closed), 'file')} in it"
        hints += f"; {count} cannot be read, try: {one_line(chmod_hint(closed[0]))}"
    links = describe_links_out(inbox, errors.links)
    return hints if links is None else f"{hints}; {one_line(links)}"


def _check_watch(chosen: Settings) -> str:
    """Return how the inbox will be watched. Fails only with the inbox; without inotify, scans find photos later."""
    from dogid.inbox.mounts import file_system_type, is_remote
    from dogid.inbox.watch import Watch, explain_watch_error

    inbox = chosen.inbox.absolute()
    if not inbox.exists():
        try:
            _check_inbox(chosen)
        except _CheckFailedError:
            raise _CheckFailedError("cannot be said, as the inbox cannot be used") from None
        return "the inbox does not exist yet"
    kind = file_system_type(inbox)
    if is_remote(kind):
        return f"by scans: {kind} does not report changes made on other machines"
    try:
        watch = Watch(inbox, lambda _: None, lambda: None)
    except OSError as error:
        return f"by scans only: {explain_watch_error(error)}"
    try:
        folder_error = watch.folder_error
        reason = f"; some folders by scans: {explain_watch_error(folder_error)}" if folder_error else ""
        return f"by inotify{reason}"
    finally:
        watch.stop()


def _check_state(chosen: Settings) -> str:
    from dogid.ledger.database import FILE_NAME
    from dogid.ledger.ledger_condition import find_damage

    state = chosen.state.absolute()
    if not state.exists():
        _require_writable(_find_nearest_folder(state), f"the state folder {state} cannot be created")
        return f"{state}: will be created"
    if not state.is_dir():
        raise _CheckFailedError(f"{state}: is not a folder; give another by --state")
    _require_writable(state, "the ledger cannot be written")
    for file in (state / LOCK_FILE, state / FILE_NAME):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise _CheckFailedError(
                f"{file}: belongs to {owner_of(file)}, and this user cannot write it; try: sudo chown"
                f" --reference={quote_for_shell(state)} {quote_for_shell(file)}"
            )
    problem = find_damage(state)
    if problem is not None:
        raise _CheckFailedError(f"{state / FILE_NAME}: {problem}")
    return f"{state}: writable" + (", in use by a running daemon" if is_running(state) else "")


def _check_disk(chosen: Settings) -> str:
    from dogid.ledger.ledger_condition import ledger_problem

    folder = _find_nearest_folder(chosen.state.absolute())
    free = shutil.disk_usage(folder).free
    inodes = os.statvfs(folder)
    problem = ledger_problem(folder)
    if problem is not None:
        raise _CheckFailedError(problem)
    if free < _MIN_FREE_BYTES:
        raise _CheckFailedError(f"{folder}: only {free / 1e6:.0f} MB are free; make room, or give another --state")
    if inodes.f_files and not inodes.f_favail:
        raise _CheckFailedError(f"{folder}: no inodes are free; remove some files")
    return f"{free / 1e9:.1f} GB are free"


def _check_port(chosen: Settings) -> str:
    address = f"{chosen.host} port {chosen.port}"
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(chosen.host, chosen.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            if is_running(chosen.state.absolute()):
                return f"{address}: used by the running daemon"
            raise _CheckFailedError(f"{address}: in use by another program; give another by --port") from error
        raise _CheckFailedError(f"{address}: {error.strerror or error}; give another by --host or --port") from error
    return f"{address}: free"


def _require_writable(folder: Path, problem: str) -> None:
    if not folder.is_dir():
        raise _CheckFailedError(f"{problem}: {folder} is missing; is a disk not mounted?")
    owner = owner_of(folder)
    if not os.access(folder, os.W_OK | os.X_OK) and owner != owner_of(Path("/proc/self")):
        raise _CheckFailedError(f"{problem}: {no_rights(folder, owner)}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _CheckFailedError(f"{problem}: {folder} is not writable; try: chmod u+rwx {quote_for_shell(folder)}")


def _find_nearest_folder(path: Path) -> Path:
    """Return the path itself, or the nearest existing folder above it."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


_CHECKS: dict[str, _Check] = {
    "backend": _check_backend,
    "model": _check_model,
    "inbox": _check_inbox,
    "watch": _check_watch,
    "state": _check_state,
    "disk": _check_disk,
    "port": _check_port,
}
