"""Waiting for something to become true. A slow machine only waits longer."""

import time
from collections.abc import Callable
from typing import TypeVar

TIMEOUT = 60.0
"""Seconds: so long that only what never happens fails."""

_PAUSE_SHARE = 0.1
"""Of the time waited so far, until the condition is asked again. Asking costs processor time, here and in the daemon:
a smaller share spends more of it on what takes seconds, a larger one comes later."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25  # seconds

T = TypeVar("T")


def eventually(condition: Callable[[], T | None], description: str | Callable[[], str], timeout: float = TIMEOUT) -> T:
    """Call condition until its answer is true, and return it; fail, with the last answer, after timeout seconds.

    description: what is waited for; a function is only called for the failure.
    """
    began = time.monotonic()
    while True:
        answer = condition()
        if answer:
            return answer
        waited = time.monotonic() - began
        if waited > timeout:
            awaited = description if isinstance(description, str) else description()
            raise AssertionError(f"did not happen in {timeout:g} s: {awaited}; last seen: {answer!r}")
        time.sleep(min(max(_PAUSE_SHARE * waited, _SHORTEST_PAUSE), _LONGEST_PAUSE))
