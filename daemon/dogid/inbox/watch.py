"""Wake-ups from the kernel by watchdog. They only say where to look; what is there, a look at the folder tells."""

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import (
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
from watchdog.observers.inotify_c import InotifyConstants, Mask

log = logging.getLogger(__name__)

_FILTER: list[type[FileSystemEvent]] = [
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileAttribEvent,
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


class Watch:
    """A recursive inotify watch on one folder, as it was when the watch was laid."""

    def __init__(self, inbox: Path, on_wakeup: Callable[[Wakeup], None]) -> None:
        self._observer = BaseObserver(emitter_class=_Emitter, timeout=DEFAULT_OBSERVER_TIMEOUT)
        status = os.stat(inbox)
        self._identity = (status.st_dev, status.st_ino)
        self._inbox = inbox
        self._observer.schedule(_Handler(inbox, on_wakeup), str(inbox), recursive=True, event_filter=_FILTER)
        self._observer.start()

    def is_sound(self) -> bool:
        """Whether the path still leads to the folder that is watched, and the watching threads live."""
        try:
            status = os.stat(self._inbox)
        except OSError:
            return False
        alive = self._observer.is_alive() and all(emitter.is_alive() for emitter in self._observer.emitters)
        return (status.st_dev, status.st_ino) == self._identity and alive

    def stop(self) -> None:
        """Take the watch down."""
        self._observer.stop()
        self._observer.join(1.0)


def explain(error: OSError) -> str:
    """Given why a watch could not be had, return the reason and the way out, for a warning."""
    if error.errno == errno.ENOSPC:
        return "no inotify watches are left; raise fs.inotify.max_user_watches (sysctl)"
    if error.errno == errno.EMFILE:
        return "no inotify instances are left; raise fs.inotify.max_user_instances (sysctl)"
    return str(error)


class _Handler(FileSystemEventHandler):
    def __init__(self, inbox: Path, on_wakeup: Callable[[Wakeup], None]) -> None:
        self._prefix = os.fsencode(inbox).rstrip(b"/") + b"/"
        self._on_wakeup = on_wakeup

    def dispatch(self, event: FileSystemEvent) -> None:
        """Pass an event on. An exception here would end watchdog's thread, so none leaves."""
        try:
            self._pass_on(event)
        except Exception:
            log.exception("an event of the inbox could not be handled; the next scan will see the file")

    def _pass_on(self, event: FileSystemEvent) -> None:
        moved = event.event_type == "moved"
        path = self._relative(event.dest_path if moved and event.dest_path else event.src_path)
        if path is None:
            return
        source = self._relative(event.src_path) if moved else None
        self._on_wakeup(Wakeup(path, event.is_directory, event.event_type, source))

    def _relative(self, path: str | bytes) -> bytes | None:
        full = os.fsencode(path)
        return full[len(self._prefix) :] if full.startswith(self._prefix) else None
