"""One entry of an archive to its row: the daemon's own reading, decoding and model, and the daemon's own errors."""

import functools
import hashlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.archive.entries import Entry
from dogid.archive.schema import Row, classified_row, failed_row
from dogid.archive.source import Source
from dogid.clock import Clock
from dogid.decoding.byte_budget import ByteBudget, choose_capacity
from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoCode, PhotoError
from dogid.model.classify_photo import classify_photo, elapsed_ms
from dogid.photo.decode import limit_pixels
from dogid.pipeline.in_progress import InProgress
from dogid.settings import Settings

if TYPE_CHECKING:
    from dogid.model.classifier import Classifier, Model


class EntryClassifier:
    """Classifies entries, on one thread or several; each thread has an interpreter of its own.

    Make one in each process. Whatever is wrong with a photo becomes a row with an error code; nothing is raised.
    """

    def __init__(
        self, model: "Model", source: Source, chosen: Settings, *, embeddings: bool = False, notes: Path | None = None
    ) -> None:
        """Set up for entries of source; chosen has the limits of decoding and the thresholds.

        The model must have been loaded with the same embeddings. chosen.memory is for this process: where several share
        a machine, each needs its part. notes is a folder of this process' own on this machine, in which it is noted
        which photos are being decoded: one that has killed the process before is decoded in another one.
        """
        limit_pixels(chosen.max_pixels)
        self._model = model
        self._source = source
        self._chosen = chosen
        self._embeddings = embeddings
        self._decoder = Decoder(ByteBudget(choose_capacity(chosen.memory)), chosen.max_pixels, chosen.decode_timeout)
        self._in_progress = None if notes is None else InProgress(notes)
        self._clock = Clock()
        self._local = threading.local()

    def classify(self, entry: Entry) -> Row:
        """Return the row of an entry, by the columns of `schema`; all but moments and timings are as the daemon's."""
        try:
            return self._classify_noted(entry)
        except PhotoError as error:
            return failed_row(entry, error, self._clock)
        except OSError as error:  # no memory for it now
            reason = str(error.strerror or error)
            return failed_row(entry, PhotoError(PhotoCode.UNREADABLE, reason), self._clock)
        except Exception as error:  # a fault of dogid or the model: other photos go on
            reason = f"{type(error).__name__}: {error}"
            return failed_row(entry, PhotoError(PhotoCode.INTERNAL, reason), self._clock)

    def close(self) -> None:
        """End the processes that decode."""
        self._decoder.close()
        if self._in_progress is not None:
            self._in_progress.clear()

    def _classify_noted(self, entry: Entry) -> Row:
        if self._in_progress is None:
            return self._classify(entry, is_suspect=False)
        with self._in_progress.track(entry.id):
            row = self._classify(entry, is_suspect=self._in_progress.is_suspect(entry.id))
        self._in_progress.acquit((entry.id,))
        return row

    def _classify(self, entry: Entry, *, is_suspect: bool) -> Row:
        classifier = self._get_classifier()
        decode = functools.partial(self._decoder.decode, is_suspect=True) if is_suspect else self._decoder.decode
        try:
            with self._decoder.budget.file_turn(entry.size or 0):
                started = time.perf_counter()
                read = self._source.read(entry, self._chosen.max_bytes)
                sha256 = hashlib.sha256(read.data).hexdigest()  # now, while the bytes are in the processor's cache
                photo = classify_photo(read.data, classifier, decode)
                total_ms = elapsed_ms(started)
        except PhotoError as error:
            if error.code is PhotoCode.TOO_LARGE:
                raise PhotoError(error.code, f"{error.message}; once the limit is raised, it is tried again") from error
            raise
        if not self._embeddings:
            photo = photo._replace(embedding=None)
        return classified_row(
            entry,
            read,
            photo,
            sha256=sha256,
            total_ms=total_ms,
            thresholds=self._chosen.thresholds,
            clock=self._clock,
        )

    def _get_classifier(self) -> "Classifier":
        """Return this thread's classifier."""
        if not hasattr(self._local, "classifier"):
            self._local.classifier = self._model.classifier()
        classifier: Classifier = self._local.classifier
        return classifier
