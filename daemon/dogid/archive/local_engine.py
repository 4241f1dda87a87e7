"""The engine of one machine: threads that read, decode and classify; the caller's thread writes what they finish."""

import contextlib
import os
import queue
import threading
import time

from dogid.archive.batch import Batch, cannot_write
from dogid.archive.entries import Entry
from dogid.archive.entry_classifier import EntryClassifier
from dogid.archive.output_folder import check_claim, iterate_missing, notes_folder
from dogid.archive.schema import Row
from dogid.archive.unreadable_photos import UnreadablePhotos
from dogid.errors import DogidError

# Of a part file. Raising these has a kill take more work with it, and keeps more rows in memory; lowering them makes
# more, smaller files.
BLOCK_ROWS = 5_000
BLOCK_SECONDS = 30.0
_WAITING_ROWS = 1_000  # between the threads and the writer; fewer, and they wait while a block is written


def classify_locally(batch: Batch) -> None:
    """Classify what is missing, and write it block by block.

    Raise DogidError where the output cannot be written, or nothing can be read any more. A KeyboardInterrupt goes on to
    the caller once finished photos are written; a second one leaves them out.
    """
    with contextlib.closing(_make_classifier(batch)) as classifier:
        count = batch.chosen.workers or len(os.sched_getaffinity(0))
        work = _Work(batch, classifier)
        writer = _Writer(batch, work, count)
        threads = [threading.Thread(target=work.run, name=f"photos-{number}", daemon=True) for number in range(count)]
        # not this thread: a KeyboardInterrupt would come in the middle of a block
        threads.append(threading.Thread(target=writer.run, name="writer", daemon=True))
        for thread in threads:
            thread.start()
        try:
            # no join: interrupted in one, Python takes the thread for ended
            writer.ended.wait()
        except KeyboardInterrupt:
            work.stop()
            writer.ended.wait()
            raise
        problem = writer.problem or work.problem
        if problem is not None:
            raise problem


def _make_classifier(batch: Batch) -> EntryClassifier:
    notes = notes_folder(batch.output)
    return EntryClassifier(batch.model, batch.source, batch.chosen, embeddings=batch.embeddings, notes=notes)


class _Work:
    """The entries that are missing, and the rows that threads make of them."""

    def __init__(self, batch: Batch, classifier: EntryClassifier) -> None:
        self._classifier = classifier
        self._entries = iterate_missing(batch.manifest, batch.done)
        self._lock = threading.Lock()
        self._is_stopped = threading.Event()
        self._unreadable = UnreadablePhotos()
        self.finished = queue.Queue[Row | None](_WAITING_ROWS)
        """Rows; and None from each thread that ends."""
        self.problem: Exception | None = None
        """Why no more entries are taken up."""

    def run(self) -> None:
        """Classify entries until there are none left. A thread's work."""
        try:
            while (entry := self._next()) is not None:
                row = self._classifier.classify(entry)
                if self._may_keep(row):
                    self.finished.put(row)
        finally:
            self.finished.put(None)

    def stop(self) -> None:
        """Have the threads end after the photos that they have."""
        self._is_stopped.set()

    def _next(self) -> Entry | None:
        with self._lock:
            if self._is_stopped.is_set():
                return None
            try:
                return next(self._entries, None)
            except Exception as error:  # the manifest cannot be read
                self._end_with(error)
                return None

    def _may_keep(self, row: Row) -> bool:
        """Whether a row is to be written; where too many photos in a row cannot be read, end the work."""
        with self._lock:
            loss = self._unreadable.find_loss(row)
            if loss is not None and self.problem is None:
                self._end_with(loss)
        return loss is None

    def _end_with(self, problem: Exception) -> None:
        self.problem = problem
        self._is_stopped.set()


class _Writer:
    """Rows on their way into part files."""

    def __init__(self, batch: Batch, work: _Work, threads: int) -> None:
        """threads: how many put rows into the work's queue."""
        self._batch = batch
        self._work = work
        self._running = threads
        self._rows: list[Row] = []
        self._since = time.monotonic()
        self.problem: Exception | None = None
        """Why rows could not be written."""
        self.ended = threading.Event()
        """Set when there is no more to write."""

    def run(self) -> None:
        """Write rows as they come, until all threads have ended. A thread's work."""
        try:
            self._write_all()
        finally:
            self.ended.set()

    def _write_all(self) -> None:
        while self._running:
            row: Row | None
            try:
                row = self._work.finished.get(timeout=max(0.01, self._since + BLOCK_SECONDS - time.monotonic()))
            except queue.Empty:
                self._flush()
                continue
            if row is None:
                self._running -= 1
            elif self.problem is None:
                self._add(row)
        self._flush()

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        self._batch.counts.add((None if row["error"] is None else row["error"]["code"],))
        if len(self._rows) >= BLOCK_ROWS or self._since + BLOCK_SECONDS <= time.monotonic():
            self._flush()

    def _flush(self) -> None:
        """Write what there is; where that fails, end the work."""
        rows, self._rows = self._rows, []
        self._since = time.monotonic()
        if not rows:
            return
        try:
            check_claim(self._batch.output.storage, self._batch.output.token)
            self._batch.output.write_rows(rows)
        except OSError as error:
            self.problem = DogidError(cannot_write(self._batch.output, error))
        except Exception as error:  # else the caller would wait for ever
            self.problem = error
        if self.problem is not None:
            self._work.stop()
