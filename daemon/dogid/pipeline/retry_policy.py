"""Deciding whether a photo that could not be classified fails, or is tried again, and when.

A copy in progress can look broken in any way. So a failure of decoding counts only once the file has not changed for
the settle time; only TOO_LARGE counts at once. A file that has vanished is looked for twice. Errors of the machine
(rights, I/O, memory) are retried for as long as they last; an internal error (INTERNAL) only a few times.
"""

import random
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job, Waiting

# Raising these delays the retry after an error that passes soon; lowering them retries more often in vain.
_FIRST_DELAY_MS = 250
_LONGEST_DELAY_MS = 60_000
# Between two looks for a file that has vanished. Raising this reports one that was lost later; lowering it fails photos
# that were renamed or deleted before the reconciler has noted it: a folder's rename is one of many files.
_VANISHED_DELAY_MS = 2_000
_LONGEST_SETTLING_DELAY_MS = 2_000  # while a file may still be being written
# In about half a minute. Raising this reports a lasting fault later; lowering it fails photos for a passing one.
_INTERNAL_ATTEMPTS = 8
# Errors that usually pass as more data arrive: such a file is tried again soon, and repeatedly. With any other error
# the next attempt comes when the file changes, or at the end of the settle time.
_LOOK_UNFINISHED = frozenset({PhotoCode.TRUNCATED, PhotoCode.EMPTY})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The rules, with the settle time in milliseconds."""

    settle_ms: int
    clock: Clock

    def on_photo_error(self, job: Job, version: Version, error: PhotoError) -> Failed | Waiting:
        """Decide on a photo whose version could not be decoded or read."""
        if error.code is PhotoCode.VANISHED:
            # it may just have been renamed: look twice, so that the row can get its new name or be removed between
            if job.last_error == PhotoCode.VANISHED:
                return Failed(job, version, error.code, error.message)
            return Waiting(job, version, error.code, error.message, _VANISHED_DELAY_MS)
        if error.code is PhotoCode.INTERNAL:
            return self.on_internal_error(job, error.message)
        if error.code is PhotoCode.TOO_LARGE:
            message = f"{error.message}; once the limit is raised, it is tried again"
            return Failed(job, version, error.code, message)
        left = self._until_settled(job, version)
        if left > 0:
            return self._wait_until_settled(job, version, error, left)
        return Failed(job, version, error.code, error.message)

    def on_incomplete(self, job: Job, version: Version, reason: str) -> Waiting | None:
        """Decide on a photo that can be decoded but looks unfinished: wait until it has settled; None once it has."""
        left = self._until_settled(job, version)
        error = PhotoError(PhotoCode.TRUNCATED, reason)
        return self._wait_until_settled(job, version, error, left) if left > 0 else None

    def on_change(self, job: Job, version: Version) -> Waiting:
        """Decide on a photo that changed while it was read: wait, as for any unfinished file (`truncated`)."""
        delay = min(backoff_ms(job.attempts), _LONGEST_SETTLING_DELAY_MS)
        return Waiting(job, version, PhotoCode.TRUNCATED, "the file changed while it was read", delay)

    def on_io_error(self, job: Job, reason: str) -> Waiting:
        """Decide on a photo that the machine could not read or hold for now."""
        return Waiting(job, job.version, PhotoCode.UNREADABLE, reason, backoff_ms(job.attempts))

    def on_internal_error(self, job: Job, reason: str) -> Failed | Waiting:
        """Decide on a photo that hit a fault of dogid or of the model: retry it a few times, then fail it."""
        if job.last_error == PhotoCode.INTERNAL and job.attempts + 1 >= _INTERNAL_ATTEMPTS:
            message = f"{reason}; given up after {job.attempts + 1} attempts, if the file changes it is tried again"
            return Failed(job, job.version, PhotoCode.INTERNAL, message)
        return Waiting(job, job.version, PhotoCode.INTERNAL, reason, backoff_ms(job.attempts))

    def _until_settled(self, job: Job, version: Version) -> int:
        if version != job.version:
            return self.settle_ms
        return job.unchanged_since + self.settle_ms - self.clock.steady_ms()

    def _wait_until_settled(self, job: Job, version: Version, error: PhotoError, left: int) -> Waiting:
        delay = left
        if error.code in _LOOK_UNFINISHED:
            delay = min(backoff_ms(job.attempts), _LONGEST_SETTLING_DELAY_MS, left)
        return Waiting(job, version, error.code, error.message, delay)


def backoff_ms(attempts: int) -> int:
    """Exponential back-off with jitter, so that a thousand photos with the same error do not return together."""
    longest: int = min(_FIRST_DELAY_MS * 2 ** min(attempts, 20), _LONGEST_DELAY_MS)
    return round(longest * random.uniform(0.75, 1.0))  # noqa: S311  # no secret depends on it
