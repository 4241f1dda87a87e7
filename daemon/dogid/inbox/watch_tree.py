"""The folders of the inbox that have an inotify watch, and the present path of each.

A watch stays on its folder wherever that is moved to (inotify(7)). So a folder that is moved away loses its watch, and
gets a new one where it arrives: a path is never that of another folder.
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
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_ATTRIB  # the daemon may have been given the right to read it
    | InotifyConstants.IN_ONLYDIR
)
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


class WatchTree:
    """The watches of one inotify instance. Not thread-safe: callers hold a lock."""

    def __init__(self, inbox: Path, inotify: InotifyFD, callback: WatchCallback) -> None:
        self._inbox = os.fsencode(inbox)
        self._inotify = inotify
        self._callback = callback
        self._ids = itertools.count()
        self._known: dict[WatchDescriptor, tuple[bytes, CallbackId]] = {}
        self._by_path: dict[bytes, WatchDescriptor] = {}
        self.unwatched: dict[bytes, OSError] = {}
        """Folders that exist and cannot be watched, with the error."""

    def path_of(self, descriptor: WatchDescriptor) -> bytes | None:
        """Return the present path of a watched folder, relative to the inbox; None where it has no watch any more."""
        known = self._known.get(descriptor)
        return None if known is None else known[0]

    def add_folder(self, path: bytes) -> None:
        """Watch a folder and all folders in it that are not ignored.

        Raise OSError where it is the inbox itself (b""); other folders' errors go to `unwatched`.
        """
        waiting = [path]
        while waiting:
            at = waiting.pop()
            try:
                self._add_watch(at)
                waiting += self._folders_in(at)
            except OSError as error:
                if not at:
                    raise
                if error.errno not in _GONE:
                    self.unwatched[at] = error

    def remove_folder(self, path: bytes) -> None:
        """Remove the watches of a folder and of all folders in it."""
        inside = path + b"/"
        self.unwatched = {at: error for at, error in self.unwatched.items() if at != path and not at.startswith(inside)}
        gone = [(at, wd) for at, wd in self._by_path.items() if not path or at == path or at.startswith(inside)]
        self._inotify.remove_callbacks([(wd, self._known[wd][1]) for _, wd in gone])
        for _, descriptor in gone:
            self.forget(descriptor)

    def forget(self, descriptor: WatchDescriptor) -> None:
        """Drop a watch that the kernel has removed: its folder was deleted."""
        path, _ = self._known.pop(descriptor, (None, None))
        if path is not None and self._by_path.get(path) == descriptor:
            del self._by_path[path]

    def _add_watch(self, path: bytes) -> None:
        """Watch one folder; a watch that is known by its path may belong to a folder that was there before."""
        # the inbox itself may be named by a link, a folder in it may not
        mask = Mask(_EVENTS | InotifyConstants.IN_DONT_FOLLOW) if path else _EVENTS
        callback_id = CallbackId(next(self._ids))
        descriptor = self._inotify.add_callback(self._full(path), mask, self._callback, callback_id)
        if descriptor == -1:  # watchdog takes missing rights for success
            self._inotify.remove_callbacks([(descriptor, callback_id)])
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for former in {descriptor, self._by_path.get(path)}:
            if former is not None and former in self._known:
                self._inotify.remove_callbacks([(former, self._known[former][1])])
                self.forget(former)
        self._known[descriptor] = (path, callback_id)
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
