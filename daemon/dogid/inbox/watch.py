"""Wake-ups from the kernel by watchdog's inotify. They only say where to look; what is there, a look tells.

Of watchdog the part that reads the kernel's events is used. Its observers would pass each event through two more
threads and hold it back where a rename may have another half; here it is handled where it is read.
"""

import errno
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from watchdog.observers.inotify_c import InotifyEvent, InotifyFD, WatchDescriptor

from dogid.inbox.ignored_names import is_ignored
from dogid.inbox.mounts import mounts_beneath
from dogid.inbox.watch_tree import WatchedFolders

log = logging.getLogger(__name__)


class Wakeup(NamedTuple):
    """A place in the inbox, not an ignored one, where something may have happened."""

    path: bytes
    """Relative to the inbox."""
    is_folder: bool
    kind: str
    """`closed`, `created`, `moved` or `attrib`."""
    moved_from: bytes | None = None
    """Its former path, where it was renamed inside the inbox."""

    def after(self, before: "Wakeup") -> "Wakeup":
        """Return one that stands for this and for an earlier one of the same path."""
        return self._replace(moved_from=self.moved_from or before.moved_from)


class Watch:
    """A recursive inotify watch on one folder, as it was when the watch was laid."""

    def __init__(self, inbox: Path, on_wakeup: Callable[[Wakeup], None], on_missed: Callable[[], None]) -> None:
        """Lay the watch; on_missed is called when there may have been more than was told. Raise OSError."""
        self._inbox = inbox
        self._identity = _identity(inbox)
        self._inotify = InotifyFD()
        self._inotify.start()
        self._events = _Events(inbox, self._inotify, on_wakeup, on_missed)
        try:
            self._events.begin()
        except BaseException:
            self.stop()
            raise

    @property
    def unwatched(self) -> OSError | None:
        """Why a folder of the inbox has no watch, where one has none."""
        return self._events.unwatched

    def is_sound(self) -> bool:
        """Whether the path still leads to the folders that are watched, and the watching thread lives."""
        if self._events.lost or not self._inotify.is_alive():
            return False
        try:
            return _identity(self._inbox) == self._identity
        except OSError:
            return False

    def stop(self) -> None:
        """Take the watch down."""
        self._events.end()
        self._inotify.stop()
        self._inotify.join(1.0)


class _Events:
    """What becomes of the kernel's events, in watchdog's thread; watchdog calls the methods with `on_` in their names.

    No exception may leave them: it would end that thread.
    """

    def __init__(
        self, inbox: Path, inotify: InotifyFD, on_wakeup: Callable[[Wakeup], None], on_missed: Callable[[], None]
    ) -> None:
        self._on_wakeup = on_wakeup
        self._on_missed = on_missed
        self._folders = WatchedFolders(inbox, inotify, self)
        self._lock = threading.Lock()  # events may come while the first watches are laid
        self._ended = False
        self.lost = False
        """Whether the inbox itself is watched no more: it was deleted, or could not be watched anew."""
        self._left: tuple[int, bytes] | None = None

    @property
    def unwatched(self) -> OSError | None:
        return next(iter(list(self._folders.unwatched.values())), None)

    def begin(self) -> None:
        """Watch everything. Raise OSError."""
        with self._lock:
            self._folders.add(b"")

    def end(self) -> None:
        """Take note of nothing that still comes."""
        with self._lock:
            self._ended = True

    def on_event(self, event: InotifyEvent) -> None:
        try:
            with self._lock:
                wakeup = None if self._ended else self._wakeup(event)
            if wakeup is not None:
                self._on_wakeup(wakeup)
        except Exception:
            self._fail()

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        with self._lock:
            if self._ended:
                return
            self.lost |= self._folders.path(wd) == b""
            self._folders.forget(wd)
        if self.lost:
            self._on_missed()

    def on_queue_overflow(self) -> None:
        try:
            with self._lock:
                if self._ended:
                    return
                self._left, self.lost = None, True
                self._folders.remove(b"")  # folders may have been moved
                self._folders.add(b"")
                self.lost = False
        except Exception:
            self._fail()
        self._on_missed()

    def _fail(self) -> None:
        log.warning("an event of the inbox could not be handled; the inbox is scanned instead", exc_info=True)
        self._on_missed()

    def _wakeup(self, event: InotifyEvent) -> Wakeup | None:
        """Keep the watches up with an event; return where to look."""
        folder = self._folders.path(event.wd)
        if folder is None or is_ignored(event.name):
            return None
        path = folder + b"/" + event.name if folder and event.name else folder or event.name
        if event.is_moved_from:
            self._left = event.cookie, path
            if event.is_directory:
                self._folders.remove(path)
                self._folders.add(path)  # another may have come in its place, of which the event was before this one
            return None
        if event.is_directory and (event.is_create or event.is_moved_to):
            self._folders.add(path)
        if event.is_moved_to:
            return Wakeup(path, event.is_directory, "moved", self._former_path(event.cookie))
        kind = "closed" if event.is_close_write else "created" if event.is_create else "attrib"
        return Wakeup(path, event.is_directory, kind)

    def _former_path(self, cookie: int) -> bytes | None:
        # the kernel queues both halves of a rename together; one that is torn apart is still seen by its inode
        left, self._left = self._left, None
        return left[1] if left is not None and left[0] == cookie else None


def _identity(inbox: Path) -> tuple[object, ...]:
    """What changes when another folder or file system comes to lie at the inbox's path, or inside it."""
    status = os.stat(inbox)
    return status.st_dev, status.st_ino, *sorted(mount.number for mount in mounts_beneath(inbox))


def explain(error: OSError) -> str:
    """Given why a watch could not be had, return the reason and the way out, for a warning."""
    if error.errno == errno.ENOSPC:
        return "no inotify watches are left; raise fs.inotify.max_user_watches (sysctl)"
    if error.errno == errno.EMFILE:
        return "no inotify instances are left; raise fs.inotify.max_user_instances (sysctl)"
    if error.errno == errno.ENOENT:
        return "the inbox is missing; is a disk not mounted?"
    return error.strerror or str(error)
