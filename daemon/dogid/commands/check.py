"""`dogid check`: would the daemon work here, with these settings? Changes nothing."""

import argparse
import errno
import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dogid import settings
from dogid.commands.output import print_json, print_table
from dogid.daemon.folders import is_running
from dogid.errors import DogidError
from dogid.settings import Settings

_LITTLE_ROOM = 50_000_000  # bytes: a hundred thousand results, and the journal of SQLite beside them


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    ok: bool
    detail: str
    """What is there; or what is wrong, and the way out."""


class _WouldNotWorkError(Exception):
    """Why not, and the way out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The daemon's own flags, and --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; exit 1 if the daemon would not work."""
    found = check_all(settings.load(args))
    ok = all(finding.ok for finding in found)
    if args.json:
        print_json({"ok": ok, "checks": [asdict(finding) for finding in found]})
    else:
        print_table([("ok" if item.ok else "WRONG", item.name, item.detail) for item in found])
    return 0 if ok else 1


def check_all(chosen: Settings) -> list[Finding]:
    """Make every check, each for itself."""
    return [_found(name, check, chosen) for name, check in _CHECKS.items()]


def _found(name: str, check: Callable[[Settings], str], chosen: Settings) -> Finding:
    try:
        return Finding(name, ok=True, detail=check(chosen))
    except (_WouldNotWorkError, DogidError) as error:
        return Finding(name, ok=False, detail=str(error))
    except OSError as error:
        return Finding(name, ok=False, detail=f"{error.filename or name}: {error.strerror or error}")


def _model(chosen: Settings) -> str:
    from dogid.model.classifier import load_model
    from dogid.model.shipped import shipped_model

    model = load_model(chosen.model or shipped_model(), chosen.labels)
    proof = "passes its self-test" if model.file.golden else "self-test: unchecked, it carries no golden photo"
    width, height = model.size
    return f"{model.file.path}: {len(model.labels)} labels, {width} x {height} pixels, {proof}"


def _backend(chosen: Settings) -> str:
    from dogid.model.classifier import load_model
    from dogid.model.self_test import reference_for
    from dogid.model.shipped import shipped_model

    model = load_model(chosen.model or shipped_model(), chosen.labels)
    reference, classifier = reference_for(model), model.classifier()
    began = time.perf_counter()
    deviation = reference.deviation(classifier)
    milliseconds = (time.perf_counter() - began) * 1000
    if deviation is not None:
        raise _WouldNotWorkError(f"{model.backend.module}: answers wrongly: {deviation}; install dogid again")
    return f"{model.backend.module}, {milliseconds:.1f} ms for a small photo"


def _inbox(chosen: Settings) -> str:
    from dogid.inbox.mounts import file_system_type

    inbox = chosen.inbox.absolute()
    if not inbox.exists():
        _must_be_writable(inbox.parent, f"the inbox {inbox} cannot be made")
        return f"{inbox}: will be made"
    if not inbox.is_dir():
        raise _WouldNotWorkError(f"{inbox}: is not a folder; give another by --inbox")
    if not os.access(inbox, os.R_OK | os.X_OK):
        raise _WouldNotWorkError(f"{inbox}: cannot be read; try: chmod u+rx {inbox}")
    return f"{inbox}: can be read, {file_system_type(inbox)}{_unreadable(inbox)}"


def _unreadable(inbox: Path) -> str:
    """What the first photos that cannot be read are, for the detail of a check that is passed: they only wait."""
    with os.scandir(inbox) as entries:
        closed = [entry.name for entry in entries if entry.is_file() and not os.access(entry.path, os.R_OK)]
    return f"; {len(closed)} files in it cannot be read, try: chmod g+r {inbox / closed[0]}" if closed else ""


def _watch(chosen: Settings) -> str:
    from dogid.inbox.mounts import file_system_type, is_remote
    from dogid.inbox.watch import Watch, explain_watch_error

    inbox = chosen.inbox.absolute()
    if not inbox.exists():
        return "nothing to watch yet"
    kind = file_system_type(inbox)
    if is_remote(kind):
        return f"by scans: {kind} does not tell of changes made elsewhere"
    try:
        watch = Watch(inbox, lambda _: None, lambda: None)
    except OSError as error:
        return f"by scans only: {explain_watch_error(error)}"
    try:
        missed = watch.folder_error
        return "by events of the kernel" + (f"; some folders by scans: {explain_watch_error(missed)}" if missed else "")
    finally:
        watch.stop()


def _state(chosen: Settings) -> str:
    state = chosen.state.absolute()
    if not state.exists():
        _must_be_writable(_nearest(state), f"the state folder {state} cannot be made")
        return f"{state}: will be made"
    if not state.is_dir():
        raise _WouldNotWorkError(f"{state}: is not a folder; give another by --state")
    _must_be_writable(state, "the ledger cannot be kept")
    return f"{state}: can be written" + (", a daemon uses it now" if is_running(state) else "")


def _disk(chosen: Settings) -> str:
    place = _nearest(chosen.state.absolute())
    free = shutil.disk_usage(place).free
    inodes = os.statvfs(place)
    if free < _LITTLE_ROOM:
        raise _WouldNotWorkError(f"{place}: only {free / 1e6:.0f} MB are free; make room, or give another --state")
    if inodes.f_files and not inodes.f_favail:
        raise _WouldNotWorkError(f"{place}: no more files can be made there (no inodes); remove some")
    return f"{free / 1e9:.1f} GB are free"


def _port(chosen: Settings) -> str:
    address = f"{chosen.host} port {chosen.port}"
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(chosen.host, chosen.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            if is_running(chosen.state.absolute()):
                return f"{address}: the daemon that runs has it"
            raise _WouldNotWorkError(f"{address}: in use by another program; give another by --port") from error
        raise _WouldNotWorkError(f"{address}: {error.strerror or error}; give another by --host or --port") from error
    return f"{address}: free"


def _must_be_writable(folder: Path, otherwise: str) -> None:
    if not folder.is_dir():
        raise _WouldNotWorkError(f"{otherwise}: {folder} is missing; is a disk not mounted?")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _WouldNotWorkError(f"{otherwise}: {folder} cannot be written; try: chmod u+rwx {folder}")


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


_CHECKS: dict[str, Callable[[Settings], str]] = {
    "backend": _backend,
    "model": _model,
    "inbox": _inbox,
    "watch": _watch,
    "state": _state,
    "disk": _disk,
    "port": _port,
}
