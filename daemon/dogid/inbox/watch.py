"""Wake-ups from the kernel by watchdog. They only say where to look; what is there, a look at the folder tells."""

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import DEFAULT_OBSERVER_TIMEOUT, BaseObserver
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from dogid.inbox.mounts import mounts_beneath

log = logging.getLogger(__name__)

_PAIRING_SECONDS = 0.01
"""How long watchdog looks out for the other half of a rename, and holds back all that follows; its own is 0.5.

The kernel queues both halves together. One that is torn apart is still seen as a rename, by its inode."""

_FILTER: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileAttribEvent,
    DirAttribEvent,
    DirCreatedEvent,
    DirMovedEvent,
]


@dataclass(frozen=True, slots=True)
class Wakeup:
    """A place in the inbox where something may have happened."""

    path: bytes
    """Relative to the inbox."""
    is_folder: bool
    kind: str
    """watchdog's event type: closed, created, moved or attrib."""
    moved_from: bytes | None = None


class _Emitter(InotifyEmitter):
    """watchdog's emitter, told of changed rights too, but not of each write to a file."""

    def get_event_mask_from_filter(self) -> Mask:
        """Add IN_ATTRIB, which watchdog itself asks for only together with IN_MODIFY."""
        return Mask(super().get_event_mask_from_filter() | InotifyConstants.IN_ATTRIB)


class _Inotify(InotifyFD):
    """watchdog's reader of the kernel's events, which also tells what it may have missed, and cannot watch.

    watchdog would keep both to itself: a full queue is a line in the log, a folder without a watch is silence.
    """

    def __init__(self, on_missed: Callable[[], None]) -> None:
        super().__init__()
        self.unwatched: dict[bytes, OSError] = {}
        self._on_missed = on_missed
        self._root: WatchDescriptor | None = None

    def handle_event(self, event: InotifyEvent) -> None:
        """Handle an event so that no exception ends the thread."""
        try:
            super().handle_event(event)
        except Exception:
            log.warning("an event of the inbox could not be handled; the inbox is scanned instead", exc_info=True)
            self._on_missed()
        if event.is_queue_overflow or (event.is_ignored and event.wd == self._root):
            self._on_missed()

    def add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        """Watch one more folder. Raise OSError."""
        try:
            descriptor = super().add_callback(path, mask, callback, id_)
            if descriptor == -1:  # watchdog takes missing rights for success
                super().remove_callbacks([(descriptor, id_)])
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):  # those are simply gone again
                self.unwatched[path] = error
            raise
        self.unwatched.pop(path, None)
        if self._root is None:
            self._root = descriptor
        return descriptor


class Watch:
    """A recursive inotify watch on one folder, as it was when the watch was laid."""

    def __init__(self, inbox: Path, on_wakeup: Callable[[Wakeup], None], on_missed: Callable[[], None]) -> None:
        """Lay the watch; on_missed is called when there may have been more than was told. Raise OSError."""
        self._inbox = inbox
        self._identity = _identity(inbox)
        self._inotify = _Inotify(on_missed)
        self._inotify.start()
        InotifyMoveEventGrouper.delay = _PAIRING_SECONDS
        self._observer = BaseObserver(_Emitter, timeout=DEFAULT_OBSERVER_TIMEOUT, inotify_fd=self._inotify)
        try:
            self._observer.schedule(_Handler(inbox, on_wakeup), str(inbox), recursive=True, event_filter=_FILTER)
            self._observer.start()
        except BaseException:
            self._inotify.stop()
            raise

    @property
    def unwatched(self) -> OSError | None:
        """Why a folder of the inbox has no watch, where one has none."""
        return next(iter(list(self._inotify.unwatched.values())), None)

    def is_sound(self) -> bool:
        """Whether the path still leads to the folders that are watched, and the watching threads live."""
        threads = [self._inotify, self._observer, *self._observer.emitters]
        try:
            return _identity(self._inbox) == self._identity and all(thread.is_alive() for thread in threads)
        except OSError:
            return False

    def stop(self) -> None:
        """Take the watch down."""
        self._observer.stop()
        self._inotify.stop()
        self._observer.join(1.0)


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


class _Handler(FileSystemEventHandler):
    def __init__(self, inbox: Path, on_wakeup: Callable[[Wakeup], None]) -> None:
        self._prefix = os.fsencode(inbox).rstrip(b"/") + b"/"
        self._on_wakeup = on_wakeup

    def dispatch(self, event: FileSystemEvent) -> None:
        """Pass an event on. An exception here would end watchdog's thread, so none leaves."""
        try:
            self._pass_on(event)
        except Exception:
            log.warning("an event of the inbox could not be handled; the next scan will see the file", exc_info=True)

    def _pass_on(self, event: FileSystemEvent) -> None:
        moved = event.event_type == "moved"
        path = self._relative(event.dest_path if moved and event.dest_path else event.src_path)
        if path is None:
            return
        source = self._relative(event.src_path) if moved else None
        self._on_wakeup(Wakeup(path, event.is_directory, event.event_type, source))

    def _relative(self, path: str | bytes) -> bytes | None:
        full = os.fsencode(path)
        if full == self._prefix[:-1]:
            return b""  # the inbox itself
        return full[len(self._prefix) :] if full.startswith(self._prefix) else None
