"""Two clocks: one to tell people when, one to measure how long."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """The machine's clocks. Tests pass one of their own; nothing else in dogid asks for the time."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970, UTC. It may jump: a Raspberry Pi has no clock of its own until the network is up."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """Milliseconds that never jump, from an arbitrary start; only for waiting and within one process."""
        return time.monotonic_ns() // 1_000_000


def iso_utc(milliseconds: int) -> str:
    """Given milliseconds since 1970, return ISO 8601 in UTC with `Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # a file system may hold any number as a file's time
        moment = datetime.fromtimestamp(0, UTC)
        rest = 0
    return f"{moment.isoformat()[:19]}.{rest:03d}Z"  # a page has a hundred of these, and strftime is slow
