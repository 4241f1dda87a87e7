"""Compares files of the inbox with their rows in the ledger, in batches, and reports photos that became pending."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from dogid.daemon.event_queue import BATCH
from dogid.daemon.wait_clock import WaitClock
from dogid.inbox.scan import FoundFile, find_file
from dogid.ledger.ledger import Ledger

# The newest files of a batch count as arrivals: they are classified first, since somebody may be waiting for them. The
# others are backlog. Raising these treats more of a backlog as urgent; lowering them lets somebody wait.
ARRIVALS = 4
ARRIVALS_OF_A_FLOOD = 1
"""The same for a full batch: at that pace, nearly all files are backlog."""

OnPending = Callable[[Sequence[int]], None]
"""Called when photos have become pending, with the ids of those that have just arrived: somebody may wait for them."""


class Comparer:
    """Brings the ledger up to date with files, and with their absence."""

    def __init__(
        self,
        inbox: Path,
        ledger: Ledger,
        on_pending: OnPending,
        inbox_wait: WaitClock,
        ledger_wait: WaitClock,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Set up. inbox_wait runs while the inbox is waited for, ledger_wait while the ledger is.

        is_stopping returns whether to end after the batch that is being compared.
        """
        self._inbox = inbox
        self._ledger = ledger
        self._on_pending = on_pending
        self._inbox_wait = inbox_wait
        self._ledger_wait = ledger_wait
        self._is_stopping = is_stopping

    def find_file(self, path: bytes) -> FoundFile | None:
        """Return what is in the inbox at a path relative to it; None where no photo can be."""
        with self._inbox_wait:
            return find_file(self._inbox, path)

    def take_batch(self, files: Iterator[FoundFile]) -> list[FoundFile]:
        """Return the next files of a scan, which looks for them meanwhile."""
        with self._inbox_wait:
            return list(islice(files, BATCH))

    def observe(
        self,
        files: Iterable[FoundFile],
        *,
        arrivals: int,
        written: Collection[bytes] = (),
        after_batch: Callable[[], None] = lambda: None,
    ) -> int:
        """Compare files with the ledger, in batches so that the first are classified while others are read.

        arrivals: how many of each batch, at its end, have just arrived; 0 for files found by a scan alone.
        written: the paths of those that were closed after writing.
        after_batch: called after each, for what need not wait for the last one.
        Return how many files there were.
        """
        count = 0
        remaining = iter(files)
        while batch := self.take_batch(remaining):
            count += len(batch)
            with self._ledger_wait:
                pending = self._ledger.observe(batch, wake=arrivals > 0, written=written)
            self._notify_pending(pending, arrivals=arrivals)
            if self._is_stopping():
                break
            after_batch()
        return count

    def observe_links(self, written: Sequence[FoundFile]) -> None:
        """Compare the other names of files that were written to: the kernel reports the one that was used alone."""
        with self._ledger_wait:
            names = self._ledger.names_of_changed(written)
        links = {path: found for path in names if (found := self.find_file(path)) is not None}
        self.observe(links.values(), arrivals=ARRIVALS_OF_A_FLOOD, written=links.keys())

    def record_rename(self, old_path: bytes, file: FoundFile, *, arrivals: int) -> None:
        """Record that a file has another name now; arrivals: 1 where somebody may be waiting for it, else 0."""
        with self._ledger_wait:
            renamed = self._ledger.record_rename(old_path, file)
        self._notify_pending(renamed, arrivals=arrivals)

    def note_left(self, is_gone: Callable[[bytes], bool], paths: Sequence[bytes]) -> None:
        """Note the absence of those of a few files that are gone."""
        with self._inbox_wait:
            missing = [path for path in paths if is_gone(path)]
        with self._ledger_wait:
            self._ledger.note_left(missing)

    def sweep(self, is_gone: Callable[[bytes], bool], folder: bytes = b"") -> None:
        """Note the absence of photos that the ledger believes to be in the inbox, or in a folder of it."""
        after = b""
        while (paths := self._present_paths(after, folder)) and not self._is_stopping():
            self.note_left(is_gone, paths)
            after = paths[-1]

    def count_present(self) -> int:
        """Return how many photos the ledger believes to be in the inbox."""
        with self._ledger_wait:
            return self._ledger.count_present()

    def _present_paths(self, after: bytes, folder: bytes) -> list[bytes]:
        with self._ledger_wait:
            return self._ledger.present_paths(after, BATCH, folder)

    def _notify_pending(self, pending: Sequence[int], *, arrivals: int) -> None:
        """Report photos that have become pending, of which the last `arrivals` have just arrived."""
        if pending:
            self._on_pending(pending[-arrivals:] if arrivals else ())
