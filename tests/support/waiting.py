"""Waiting for something to become true. A slow machine only waits longer."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60.0
"""Seconds: so long that only what never happens fails."""

_PAUSE = 0.02

T = TypeVar("T")


def eventually(ask: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """Ask until the answer is true, and return it; fail, with the last answer, when patience is over."""
    ends = time.monotonic() + patience
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > ends:
            raise AssertionError(f"did not happen in {patience:g} s: {what}; last seen: {answer!r}")
        time.sleep(_PAUSE)
