"""When a photo that could not be classified is believed to be broken, and when it is tried again.

A copy in progress looks like a broken photo. So a broken one is tried again until it has not changed for the settle
time; trouble of the machine (rights, I/O) is tried again for as long as it lasts.
"""

import random
from dataclasses import dataclass

from dogid.clock import Clock
from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job, Waiting

_FIRST_DELAY_MS = 250
_LONGEST_DELAY_MS = 60_000
_LONGEST_SETTLING_DELAY_MS = 2_000
_MAY_BE_UNFINISHED = frozenset({PhotoCode.TRUNCATED, PhotoCode.EMPTY})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The rule, with the settle time in milliseconds."""

    settle_ms: int
    clock: Clock

    def verdict(self, job: Job, version: Version, error: PhotoError) -> Failed | Waiting:
        """What becomes of a photo whose version could not be decoded or read."""
        if error.code is PhotoCode.VANISHED:
            # it may just have been renamed: look twice, so that the folder's scan can find its new name
            if job.waits_for == PhotoCode.VANISHED:
                return Failed(job, version, error.code, error.message)
            return Waiting(job, version, error.code, error.message, _FIRST_DELAY_MS)
        if error.code in _MAY_BE_UNFINISHED:
            left = self._until_settled(job, version)
            if left > 0:
                return self._unfinished(job, version, error, left)
        return Failed(job, version, error.code, error.message)

    def may_be_unfinished(self, job: Job, version: Version, reason: str) -> Waiting | None:
        """A photo that decodes but looks unfinished waits until it is still; None once it is."""
        left = self._until_settled(job, version)
        return self._unfinished(job, version, PhotoError(PhotoCode.TRUNCATED, reason), left) if left > 0 else None

    def changing(self, job: Job, version: Version) -> Waiting:
        """A photo that changed while it was read."""
        delay = min(backoff_ms(job.attempts), _LONGEST_SETTLING_DELAY_MS)
        return Waiting(job, version, PhotoCode.TRUNCATED, "the file changed while it was read", delay)

    def trouble(self, job: Job, reason: str) -> Waiting:
        """A photo that the machine could not give, for now."""
        return Waiting(job, job.version, PhotoCode.UNREADABLE, reason, backoff_ms(job.attempts))

    def _until_settled(self, job: Job, version: Version) -> int:
        if version != job.version:
            return self.settle_ms
        return job.still_since + self.settle_ms - self.clock.steady_ms()

    def _unfinished(self, job: Job, version: Version, error: PhotoError, left: int) -> Waiting:
        delay = min(backoff_ms(job.attempts), _LONGEST_SETTLING_DELAY_MS, left)
        return Waiting(job, version, error.code, error.message, delay)


def backoff_ms(attempts: int) -> int:
    """Exponential back-off with jitter, so that a thousand photos in the same trouble do not return together."""
    longest: int = min(_FIRST_DELAY_MS * 2 ** min(attempts, 20), _LONGEST_DELAY_MS)
    return round(longest * random.uniform(0.75, 1.0))  # noqa: S311  # no secret depends on it
