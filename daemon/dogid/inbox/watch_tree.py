"""Which folders of the inbox have an inotify watch, and by which path each is known now.

A watch stays on its folder wherever that is moved to (inotify(7)): what is moved away loses its watch, and gets another
where it arrives, so that a path is never that of another folder.
"""

import errno
import itertools
import os
from pathlib import Path

from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask, WatchCallback, WatchDescriptor

from dogid.inbox.ignored_names import is_ignored

_EVENTS = Mask(
    InotifyConstants.IN_CREATE  # a folder, a link
    | InotifyConstants.IN_CLOSE_WRITE
    | InotifyConstants.IN_MOVE
    | InotifyConstants.IN_ATTRIB  # another may have given us the right to read it
    | InotifyConstants.IN_ONLYDIR
)
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


class WatchedFolders:
    """The watches of one inotify instance. Not for use by two threads at once."""

    def __init__(self, inbox: Path, inotify: InotifyFD, callback: WatchCallback) -> None:
        self._inbox = os.fsencode(inbox)
        self._inotify = inotify
        self._callback = callback
        self._ids = itertools.count()
        self._known: dict[WatchDescriptor, tuple[bytes, CallbackId]] = {}
        self._by_path: dict[bytes, WatchDescriptor] = {}
        self.unwatched: dict[bytes, OSError] = {}
        """Folders that are there and cannot be watched, with the reason."""

    def path(self, descriptor: WatchDescriptor) -> bytes | None:
        """Where a watched folder is now, relative to the inbox; None where it is watched no more."""
        known = self._known.get(descriptor)
        return None if known is None else known[0]

    def add(self, path: bytes) -> None:
        """Watch a folder and all in it that are not ignored. Raise OSError where it is the inbox itself (b"")."""
        waiting = [path]
        while waiting:
            at = waiting.pop()
            try:
                self._watch(at)
                waiting += self._folders_in(at)
            except OSError as error:
                if not at:
                    raise
                if error.errno not in _GONE:
                    self.unwatched[at] = error

    def remove(self, path: bytes) -> None:
        """Watch a folder and all in it no longer."""
        inside = path + b"/"
        self.unwatched = {at: error for at, error in self.unwatched.items() if at != path and not at.startswith(inside)}
        gone = [(at, wd) for at, wd in self._by_path.items() if not path or at == path or at.startswith(inside)]
        self._inotify.remove_callbacks([(wd, self._known[wd][1]) for _, wd in gone])
        for _, descriptor in gone:
            self.forget(descriptor)

    def forget(self, descriptor: WatchDescriptor) -> None:
        """Note that the kernel has dropped a watch: its folder was deleted."""
        path, _ = self._known.pop(descriptor, (None, None))
        if path is not None and self._by_path.get(path) == descriptor:
            del self._by_path[path]

    def _watch(self, path: bytes) -> None:
        """Watch one folder; a watch that is known by its path may be that of another, which lay there before."""
        # the inbox itself may be named by a link, a folder in it is none
        mask = Mask(_EVENTS | InotifyConstants.IN_DONT_FOLLOW) if path else _EVENTS
        call = CallbackId(next(self._ids))
        descriptor = self._inotify.add_callback(self._full(path), mask, self._callback, call)
        if descriptor == -1:  # watchdog takes missing rights for success
            self._inotify.remove_callbacks([(descriptor, call)])
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for former in {descriptor, self._by_path.get(path)}:
            if former is not None and former in self._known:
                self._inotify.remove_callbacks([(former, self._known[former][1])])
                self.forget(former)
        self._known[descriptor] = (path, call)
        self._by_path[path] = descriptor
        self.unwatched.pop(path, None)

    def _folders_in(self, path: bytes) -> list[bytes]:
        with os.scandir(self._full(path)) as entries:
            return [
                path + b"/" + entry.name if path else entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not is_ignored(entry.name)
            ]

    def _full(self, path: bytes) -> bytes:
        return os.path.join(self._inbox, path) if path else self._inbox
