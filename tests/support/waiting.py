"""Waiting for something to become true. A slow machine only waits longer."""

import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT = 60.0
"""Seconds: so long that only what never happens fails."""

_PAUSE = 0.02

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], description: str, timeout: float = TIMEOUT) -> T:
    """Call condition until its answer is true, and return it; fail, with the last answer, after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen in {timeout:g} s: {description}; last seen: {answer!r}")
        time.sleep(_PAUSE)
