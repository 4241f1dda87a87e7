"""The kernel's events on their way to the reconciler: merged by path, handed over in batches, never too many."""

import threading
import time

from dogid.inbox.watch import FileEvent

# Raising this makes a new arrival wait longer for the batch before it; lowering it costs more transactions.
BATCH = 100  # files that are compared in one transaction
# Raising this takes more memory and checks more files one by one; lowering it leaves a copy of many files to scans.
_MOST_EVENTS = 10_000  # more than these are cheaper to find by a scan
# Raising this counts deleted photos for longer; lowering it may take both halves of a rename for two events.
_GONE_SECONDS = 0.5


class EventQueue:
    """Events that are to be handled, files that the kernel reports as gone, and whether a scan is wanted.

    `put` and `want_scan` are for any thread, the rest for the reconciler's.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: dict[bytes, FileEvent] = {}
        self._gone: dict[bytes, tuple[float, bool]] = {}
        self._written_and_gone: set[bytes] = set()
        self.scan_is_wanted = False
        """Whether the whole inbox should be scanned soon: events were lost, or there were too many."""
        self.is_closed = False

    def close(self) -> None:
        """Have `take` wait no longer."""
        with self._changed:
            self.is_closed = True
            self._changed.notify()

    def want_scan(self) -> None:
        """Have the whole inbox scanned soon."""
        with self._changed:
            self.scan_is_wanted = True
            self._changed.notify()

    def put(self, event: FileEvent) -> None:
        """Add an event; where one of the same file waits, they become one."""
        with self._changed:
            if event.kind == "gone":
                self._gone[event.path] = time.monotonic(), event.is_folder
                if len(self._gone) > _MOST_EVENTS:
                    self._gone.clear()
                    self.scan_is_wanted = True
                return
            if event.moved_from is not None:
                self._gone.pop(event.moved_from, None)
            before = self._events.pop(event.path, None)
            self._events[event.path] = event if before is None else event.merged_with(before)
            if len(self._events) > _MOST_EVENTS:
                del self._events[next(iter(self._events))]  # the oldest
                self.scan_is_wanted = True
            self._changed.notify()

    def take(self, until: float, rested: float) -> list[FileEvent]:
        """Wait for events, at most until that monotonic time, and take a batch; a wanted scan waits until rested."""
        with self._changed:
            while not (self._events or self.is_closed):
                left = (min(until, rested) if self.scan_is_wanted else until) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            # the newest of many: somebody may be waiting for it, while the others are a backlog
            newest = [self._events.popitem()[1] for _ in range(min(BATCH, len(self._events)))]
        return newest[::-1]

    def take_gone(self) -> list[tuple[bytes, bool]]:
        """Take what was deleted or moved a while ago and has no new name, as path and whether it is a folder."""
        with self._changed:
            until = time.monotonic() - _GONE_SECONDS
            gone = [(path, is_folder) for path, (at, is_folder) in self._gone.items() if at < until]
            for path, _ in gone:
                del self._gone[path]
                self._written_and_gone.discard(path)
        return gone

    def note_written_and_gone(self, path: bytes) -> None:
        """Note that a file was written to that has its old name no more."""
        self._written_and_gone.add(path)

    def was_written(self, path: bytes) -> bool:
        """Whether a file that was renamed from path was written to before, which is not known to the ledger yet."""
        with self._changed:
            event = self._events.get(path)
        was_written = path in self._written_and_gone or (event is not None and event.kind == "closed")
        self._written_and_gone.discard(path)
        return was_written
