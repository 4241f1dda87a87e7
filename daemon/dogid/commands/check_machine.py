"""The checks of what the machine has for the daemon: folders, their watch, the disk and the port."""

import errno
import os
import shutil
import socket
from pathlib import Path

from dogid.commands.check_result import CheckFailedError
from dogid.commands.reading_state import owner_of
from dogid.conditions import find_unit, inbox_unwritable, no_rights
from dogid.daemon.folders import LOCK_FILE, is_running
from dogid.file_names import one_line, quote_for_shell
from dogid.quantities import count_of
from dogid.settings import Settings

_MIN_FREE_BYTES = 50_000_000  # space of a hundred thousand results and SQLite's write-ahead log


def check_inbox(chosen: Settings) -> str:
    """Return whether the inbox can be read, and what in it cannot."""
    from dogid.inbox.inbox_condition import find_unreadable_folder, inbox_problem
    from dogid.inbox.mounts import file_system_type

    inbox = chosen.inbox.absolute()
    problem = inbox_problem(inbox)
    if not inbox.exists() and not is_running(chosen.state.absolute()):
        _require_writable(inbox.parent, f"the inbox {inbox} cannot be created")
        return f"{inbox}: will be created"
    problem = problem or find_unreadable_folder(inbox)
    if problem is not None:
        raise CheckFailedError(one_line(problem))
    if chosen.allow_upload and not os.access(inbox, os.W_OK | os.X_OK):
        reason = OSError(errno.EACCES, os.strerror(errno.EACCES))
        raise CheckFailedError(one_line(inbox_unwritable(inbox, reason, find_unit(chosen.state.absolute()))))
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


def check_watch(chosen: Settings) -> str:
    """Return how the inbox will be watched. Fails only with the inbox; without inotify, scans find photos later."""
    from dogid.inbox.mounts import file_system_type, is_remote
    from dogid.inbox.watch import Watch, explain_watch_error

    inbox = chosen.inbox.absolute()
    if not inbox.exists():
        try:
            check_inbox(chosen)
        except CheckFailedError:
            raise CheckFailedError("not checked, as the inbox cannot be used") from None
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


def check_state(chosen: Settings) -> str:
    """Return whether the state folder can be written, and its ledger is sound."""
    from dogid.ledger.database import FILE_NAME
    from dogid.ledger.ledger_condition import find_damage

    state = chosen.state.absolute()
    if not state.exists():
        _require_writable(_find_nearest_folder(state), f"the state folder {state} cannot be created")
        return f"{state}: will be created"
    if not state.is_dir():
        raise CheckFailedError(f"{state}: is not a folder; give another by --state")
    _require_writable(state, "the ledger cannot be written")
    for file in (state / LOCK_FILE, state / FILE_NAME):
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            raise CheckFailedError(
                f"{file}: belongs to {owner_of(file)}, and this user cannot write it; try: sudo chown"
                f" --reference={quote_for_shell(state)} {quote_for_shell(file)}"
            )
    problem = find_damage(state)
    if problem is not None:
        raise CheckFailedError(f"{state / FILE_NAME}: {problem}")
    return f"{state}: writable" + (", in use by a running daemon" if is_running(state) else "")


def check_disk(chosen: Settings) -> str:
    """Return how much room there is on the state folder's disk."""
    from dogid.ledger.ledger_condition import ledger_problem

    folder = _find_nearest_folder(chosen.state.absolute())
    free = shutil.disk_usage(folder).free
    inodes = os.statvfs(folder)
    problem = ledger_problem(folder)
    if problem is not None:
        raise CheckFailedError(problem)
    if free < _MIN_FREE_BYTES:
        raise CheckFailedError(f"{folder}: only {free / 1e6:.0f} MB are free; make room, or give another --state")
    if inodes.f_files and not inodes.f_favail:
        raise CheckFailedError(f"{folder}: no inodes are free; remove some files")
    return f"{free / 1e9:.1f} GB are free"


def check_port(chosen: Settings) -> str:
    """Return whether the HTTP server's address is free."""
    from dogid.web.server.host import resolve_host

    address = f"{chosen.host} port {chosen.port}"
    family, kind, protocol, where = resolve_host(chosen.host, chosen.port)
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            if is_running(chosen.state.absolute()):
                return f"{address}: used by the running daemon"
            raise CheckFailedError(f"{address}: in use by another program; give another by --port") from error
        raise CheckFailedError(f"{address}: {error.strerror or error}; give another by --host or --port") from error
    return f"{address}: free"


def _require_writable(folder: Path, problem: str) -> None:
    if not folder.is_dir():
        raise CheckFailedError(f"{problem}: {folder} is missing; is a disk not mounted?")
    owner = owner_of(folder)
    if not os.access(folder, os.W_OK | os.X_OK) and owner != owner_of(Path("/proc/self")):
        raise CheckFailedError(f"{problem}: {no_rights(folder, owner)}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CheckFailedError(f"{problem}: {folder} is not writable; try: chmod u+rwx {quote_for_shell(folder)}")


def _find_nearest_folder(path: Path) -> Path:
    """Return the path itself, or the nearest existing folder above it."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
