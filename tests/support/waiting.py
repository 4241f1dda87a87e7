"""Waiting for something to become true. A slow machine only waits longer."""

import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT = 60.0
"""Seconds: so long that only what never happens fails."""

_PAUSE = 0.02

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], description: str | Callable[[], str], timeout: float = TIMEOUT) -> T:
    """Call condition until its answer is true, and return it; fail, with the last answer, after timeout seconds.

    description: what is waited for; a function is only called for the failure.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            awaited = description if isinstance(description, str) else description()
            raise AssertionError(f"did not happen in {timeout:g} s: {awaited}; last seen: {answer!r}")
        time.sleep(_PAUSE)
