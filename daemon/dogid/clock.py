"""Two clocks: wall time for timestamps, monotonic time for waiting."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """The clocks that photos, results and retries go by, in whole milliseconds. Tests pass others.

    Timeouts and durations inside one function use `time.monotonic` and `time.perf_counter` directly.
    """

    def wall_ms(self) -> int:
        """Return milliseconds since 1970, UTC. May jump: a Raspberry Pi has no clock without a network."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """Return milliseconds since an arbitrary moment, which never jump; not comparable between boots."""
        return time.monotonic_ns() // 1_000_000


def iso_utc(milliseconds: int) -> str:
    """Given milliseconds since 1970, return ISO 8601 in UTC with `Z`; 1970 itself where the year is not 1 to 9999."""
    seconds, rest = divmod(milliseconds, 1000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # file systems allow any number as a file's time
        moment = datetime.fromtimestamp(0, UTC)
        rest = 0
    return f"{moment.isoformat()[:19]}.{rest:03d}Z"  # a page has a hundred of these, and strftime is slow


def parse_moment(text: str) -> int:
    """Given ISO 8601, return milliseconds since 1970; without an offset, by the machine's time zone. Raise ValueError.

    A camera that does not say its zone is taken to go by the one of the machine that it sends its photos to.
    """
    moment = datetime.fromisoformat(text)
    try:
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):  # the first and last days of the calendar, turned to UTC
        return round(moment.replace(tzinfo=UTC).timestamp() * 1000)
