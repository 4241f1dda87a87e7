"""Answering a stored photo by another model: from its embedding where that is there, else from its file.

Reading, decoding and classifying are done by one thread at idle priority. Priorities are those of a thread in Linux
(sched(7)), so that the thread that writes to the ledger, which the daemon waits for, keeps the usual one.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path

from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.read import TemporaryError, read_photo
from dogid.ledger.outcomes import Timings
from dogid.ledger.replays import NewAnswer, OlderAnswer
from dogid.model.classifier import Model
from dogid.model.classify_photo import classify_photo, elapsed_ms
from dogid.photo.pixels import DecodedPhoto
from dogid.replay.answer_store import AnswerStore, StoredAnswer
from dogid.replay.embedding_head import make_embedding_head

_LOWEST_PRIORITY = 19  # of nice(2), where the system has no idle class


class Skipped(StrEnum):
    """Why a photo keeps its older answer. The values are part of the public interface."""

    GONE = "gone"
    """Its file is not in the inbox any more."""
    CHANGED = "changed"
    """Its file is another by now; the daemon answers it."""
    FAILED = "failed"
    """It cannot be read or decoded now."""


class PhotoAnswerer:
    """Answers one photo after the other."""

    def __init__(self, inbox: Path, max_bytes: int, model: Model, decoder: Decoder, store: AnswerStore) -> None:
        """Set up for a model that gives embeddings where it can."""
        self._inbox, self._max_bytes = inbox, max_bytes
        self._decoder, self._store = decoder, store
        self._thread = ThreadPoolExecutor(1, "replay", initializer=become_idle)
        self._head = make_embedding_head(model)
        self._classifier = model.classifier()

    @property
    def network(self) -> str | None:
        """The network whose stored embeddings can be used; None where photos have to be read."""
        return None if self._head is None else self._head.network.sha256

    def answer(self, older: OlderAnswer) -> NewAnswer | Skipped:
        """Return the model's answer to a photo, or why there is none.

        Raise sqlite3.OperationalError where there is no room to keep it.
        """
        if older.embedding is not None and self._head is not None:
            scores = self._head.classify(older.embedding)
            if scores is not None:
                return NewAnswer(older, scores, None)
        stored = self._store.find(older.sha256)
        if stored is not None:
            return NewAnswer(older, stored.scores, stored.timings)
        made = self._thread.submit(self._classify, older).result()
        if isinstance(made, NewAnswer) and made.timings is not None:
            self._store.add(older.sha256, StoredAnswer(made.scores, made.timings))
        return made

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _classify(self, older: OlderAnswer) -> NewAnswer | Skipped:
        try:
            with self._decoder.budget.file_turn(older.size):
                started = time.perf_counter()
                read = read_photo(self._inbox, older.path, self._max_bytes)
                if not read.unchanged or hashlib.sha256(read.data).hexdigest() != older.sha256:
                    return Skipped.CHANGED
                photo = classify_photo(read.data, self._classifier, self._decode)
        except PhotoError as error:
            return Skipped.GONE if error.code is PhotoCode.VANISHED else Skipped.FAILED
        except (TemporaryError, OSError, MemoryError):
            return Skipped.FAILED
        timings = Timings(photo.decode_ms, photo.invoke_ms, elapsed_ms(started))
        return NewAnswer(older, photo.best(), timings, self._classifier.network_name, photo.embedding)

    def _decode(self, data: bytes, size: tuple[int, int], on_start: Callable[[], None]) -> DecodedPhoto:
        return self._decoder.decode(data, size, on_start=on_start)


def become_idle() -> None:
    """Let this thread, and the processes that it starts, run where no other has anything to do."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (OSError, AttributeError):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _LOWEST_PRIORITY)
