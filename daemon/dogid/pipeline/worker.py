"""One worker thread as the pool sees it: its photo and its deadline."""

import math
import threading
import time
from dataclasses import dataclass, field

from dogid.file_names import one_line, shown_name
from dogid.ledger.outcomes import Job


@dataclass(slots=True, eq=False)
class Worker:
    """A worker thread. Its photo and deadline are shared between the thread and the pool."""

    number: int
    """Its own for as long as the daemon runs."""
    thread: threading.Thread | None = None
    waits_for_memory: bool = False
    """Whether its photo waits until others are decoded, each of which has a deadline."""
    reading_since: float | None = None
    """Since when it has been reading its photo's file, in monotonic seconds; None where it is not reading."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _job: Job | None = None
    _deadline: float = math.inf
    _sha256: str | None = None
    _given_up: bool = False

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self.thread is not None and self.thread.is_alive()

    @property
    def photo_hint(self) -> str:
        """` from NAME` while there is a photo, for messages on a worker that does not come back."""
        job = self._job
        return "" if job is None else f" from {one_line(shown_name(job.path))}"

    @property
    def waits_for_others(self) -> bool:
        """Whether its photo waits for the disk, or until others are decoded: no restart helps against that."""
        return self.waits_for_memory or self.reading_since is not None

    def begin_job(self, job: Job) -> None:
        """Note the photo, without a deadline yet: how long a disk takes is not the photo's fault."""
        with self._lock:
            self._job, self._deadline = job, math.inf

    def begin_reading(self) -> None:
        """Note that the photo's file is being read from now on."""
        self.reading_since = time.monotonic()

    def note_read(self, sha256: str) -> None:
        """Note that the photo's bytes, of this SHA-256, are there, and that it waits for memory to be decoded."""
        with self._lock:
            self._sha256, self.waits_for_memory, self.reading_since = sha256, True, None

    def start_deadline(self, seconds: float) -> None:
        """Give the photo this many seconds from now on."""
        with self._lock:
            self._deadline, self.waits_for_memory = time.monotonic() + seconds, False

    def end_job(self) -> bool:
        """Note that the photo is done; return False where the worker was given up meanwhile."""
        with self._lock:
            if self._given_up:
                return False
            self._job, self.waits_for_memory, self.reading_since = None, False, None
            return True

    def give_up_if_late(self, now: float, stalled: float) -> tuple[Job, str | None] | None:
        """Give the worker up where its deadline, put off by `stalled` seconds, has passed; return its photo then.

        With the photo comes the SHA-256 of its bytes.
        """
        with self._lock:
            self._deadline += stalled
            if self._job is None or self._deadline > now:
                return None
            self._given_up = True
            return self._job, self._sha256
