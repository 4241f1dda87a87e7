"""Inotify events of the inbox, by watchdog. They are hints where to look: what a file is, `scan` and `find_file` say.

Only watchdog's reader of kernel events is used. Its observers would pass each event through two more threads and hold
it back to pair the halves of a rename; here it is handled in the thread that reads it.
"""

import errno
import importlib
import logging
import os
import threading
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from dogid.inbox.ignored_names import is_ignored
from dogid.inbox.mounts import mounts_inside

if TYPE_CHECKING:
    from watchdog.observers.inotify_c import InotifyEvent, InotifyFD, WatchDescriptor

log = logging.getLogger(__name__)

_JOIN_SECONDS = (
    1.0  # for watchdog's thread at a stop; raising it may delay the daemon's end, lowering it may leave it running
)

_MODULE = "watchdog.observers.inotify_c"
_USED_NAMES = (
    *("InotifyFD.add_callback", "InotifyFD.remove_callbacks"),
    *("InotifyFD.start", "InotifyFD.stop", "InotifyFD.join", "InotifyFD.is_alive"),
    *("InotifyConstants.IN_CREATE", "InotifyConstants.IN_CLOSE_WRITE", "InotifyConstants.IN_MOVE"),
    *("InotifyConstants.IN_DELETE", "InotifyEvent.is_delete", "InotifyConstants.IN_ATTRIB"),
    *("InotifyConstants.IN_ONLYDIR", "InotifyConstants.IN_DONT_FOLLOW"),
    *("InotifyEvent.is_moved_from", "InotifyEvent.is_moved_to", "InotifyEvent.is_create"),
    *("InotifyEvent.is_close_write", "InotifyEvent.is_directory"),
    *("InotifyEvent.wd", "InotifyEvent.name", "InotifyEvent.cookie"),
    *("WatchCallback.on_event", "WatchCallback.on_watch_deleted", "WatchCallback.on_queue_overflow"),
    *("CallbackId", "Mask", "WatchDescriptor"),
)
"""What this module and `watch_tree` use of watchdog. It is not part of watchdog's documented interface."""


class WatchUnavailableError(OSError):
    """The installed watchdog lacks something that the watch needs. `strerror` says what, and the way out."""


class FileEvent(NamedTuple):
    """A path in the inbox, not an ignored one, that may have changed."""

    path: bytes
    """Relative to the inbox."""
    is_folder: bool
    kind: str
    """`closed`, `created`, `moved`, `attrib` or `gone`."""
    moved_from: bytes | None = None
    """Its former path, where it was renamed inside the inbox."""

    def merged_with(self, earlier: "FileEvent") -> "FileEvent":
        """Return one event for this one and an earlier one of the same path: what was written stays written."""
        kind = earlier.kind if earlier.kind == "closed" and self.kind == "attrib" else self.kind
        return self._replace(kind=kind, moved_from=self.moved_from or earlier.moved_from)


class Watch:
    """A recursive inotify watch on the folder that is at the inbox's path when the watch starts."""

    def __init__(self, inbox: Path, on_event: Callable[[FileEvent], None], on_events_lost: Callable[[], None]) -> None:
        """Start the watch. Both callbacks run in watchdog's thread.

        on_events_lost means that events may be missing, and that the inbox should be scanned. Raise OSError where the
        inbox cannot be watched, WatchUnavailableError (an OSError) where the installed watchdog does not fit.
        """
        check_watchdog()
        from watchdog.observers.inotify_c import InotifyFD

        self._inbox = inbox
        self._identity = _identity(inbox)
        self._inotify = InotifyFD()
        self._inotify.start()
        self._events = _EventHandler(inbox, self._inotify, on_event, on_events_lost)
        try:
            self._events.start()
        except BaseException:
            self.stop()
            raise

    @property
    def folder_error(self) -> OSError | None:
        """Why one of the folders in the inbox has no watch, or None where all have one."""
        return self._events.folder_error

    def is_stale(self) -> bool:
        """Whether the inbox's path leads to other folders than those watched, or watchdog's thread has ended."""
        if self._events.root_lost or not self._inotify.is_alive():
            return True
        try:
            return _identity(self._inbox) != self._identity
        except OSError:
            return True

    def stop(self) -> None:
        """Remove all watches and end watchdog's thread."""
        self._events.stop()
        self._inotify.stop()
        self._inotify.join(_JOIN_SECONDS)


class _EventHandler:
    """Turns inotify events into FileEvents, in watchdog's thread. Watchdog calls the methods named `on_...`.

    No exception may leave them: it would end that thread.
    """

    def __init__(
        self,
        inbox: Path,
        inotify: "InotifyFD",
        on_event: Callable[[FileEvent], None],
        on_events_lost: Callable[[], None],
    ) -> None:
        from dogid.inbox.watch_tree import WatchTree

        self._on_event = on_event
        self._on_events_lost = on_events_lost
        self._tree = WatchTree(inbox, inotify, self)
        self._lock = threading.Lock()  # events may come while the first watches are added
        self._stopped = False
        self.root_lost = False
        """Whether the inbox itself is no longer watched: it was deleted, or could not be watched again."""
        self._moved_from: tuple[int, bytes] | None = None  # cookie and path of the first half of a rename

    @property
    def folder_error(self) -> OSError | None:
        return next(iter(list(self._tree.unwatched.values())), None)

    def start(self) -> None:
        """Watch the inbox and its folders. Raise OSError where the inbox itself cannot be watched."""
        with self._lock:
            self._tree.add_folder(b"")

    def stop(self) -> None:
        """Ignore all further events."""
        with self._lock:
            self._stopped = True

    def on_event(self, event: "InotifyEvent") -> None:
        try:
            with self._lock:
                file_event = None if self._stopped else self._update_tree(event)
            if file_event is not None:
                self._on_event(file_event)
        except Exception:
            self._report_failure()

    def on_watch_deleted(self, wd: "WatchDescriptor") -> None:
        with self._lock:
            if self._stopped:
                return
            self.root_lost |= self._tree.path_of(wd) == b""
            self._tree.forget(wd)
        if self.root_lost:
            self._on_events_lost()

    def on_queue_overflow(self) -> None:
        try:
            with self._lock:
                if self._stopped:
                    return
                self._moved_from, self.root_lost = None, True
                self._tree.remove_folder(b"")  # folders may have been moved
                self._tree.add_folder(b"")
                self.root_lost = False
        except Exception:
            self._report_failure()
        self._on_events_lost()

    def _report_failure(self) -> None:
        log.warning("an event of the inbox could not be handled; scanning the inbox instead", exc_info=True)
        self._on_events_lost()

    def _update_tree(self, event: "InotifyEvent") -> FileEvent | None:
        """Add and remove watches as folders come and go; return the event of a file or folder, or None."""
        folder = self._tree.path_of(event.wd)
        if folder is None or is_ignored(event.name):
            return None
        path = folder + b"/" + event.name if folder and event.name else folder or event.name
        if event.is_moved_from:
            self._moved_from = event.cookie, path
            if event.is_directory:
                self._tree.remove_folder(path)
                self._tree.add_folder(path)  # another may be there already: its event came before this one
            return FileEvent(path, event.is_directory, "gone")
        if event.is_delete:
            return FileEvent(path, event.is_directory, "gone")
        if event.is_directory and (event.is_create or event.is_moved_to):
            self._tree.add_folder(path)
        if event.is_moved_to:
            return FileEvent(path, event.is_directory, "moved", self._former_path(event.cookie))
        kind = "closed" if event.is_close_write else "created" if event.is_create else "attrib"
        return FileEvent(path, event.is_directory, kind)

    def _former_path(self, cookie: int) -> bytes | None:
        # the kernel queues both halves of a rename together; if they are torn apart, the ledger matches the inode
        moved_from, self._moved_from = self._moved_from, None
        return moved_from[1] if moved_from is not None and moved_from[0] == cookie else None


def check_watchdog() -> None:
    """Raise WatchUnavailableError where the installed watchdog lacks a name that the watch uses."""
    try:
        module = importlib.import_module(_MODULE)
    except ImportError as error:
        raise _unavailable(f"{_MODULE} cannot be imported: {error}") from error
    for name in _USED_NAMES:
        try:
            reduce(_member, name.split("."), cast(object, module))
        except AttributeError as error:
            raise _unavailable(f"{_MODULE}.{name} is missing") from error


def _member(owner: object, name: str) -> object:
    """Return an attribute, or the type of a dataclass's field. Raise AttributeError."""
    fields: dict[str, object] = getattr(owner, "__dataclass_fields__", {})
    return fields[name] if name in fields else getattr(owner, name)


def _unavailable(reason: str) -> WatchUnavailableError:
    return WatchUnavailableError(errno.ENOSYS, f"{reason}; install the watchdog version that dogid requires")


def _identity(inbox: Path) -> tuple[object, ...]:
    """Return what differs once another folder or file system is at the inbox's path, or inside it."""
    status = os.stat(inbox)
    return status.st_dev, status.st_ino, *sorted(mount.id for mount in mounts_inside(inbox))


def explain_watch_error(error: OSError) -> str:
    """Given the error of a watch, return the reason and the way out, for a warning."""
    if error.errno == errno.ENOSPC:
        return "no inotify watches are left; raise fs.inotify.max_user_watches (sysctl)"
    if error.errno == errno.EMFILE:
        return "no inotify instances are left; raise fs.inotify.max_user_instances (sysctl)"
    if error.errno == errno.ENOENT:
        return "the inbox is missing; is a disk not mounted?"
    return error.strerror or str(error)
