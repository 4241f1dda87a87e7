"""Suggesting names that a user may have meant."""

import difflib
from collections.abc import Sequence

_SHOWN = 8


def did_you_mean(name: str, known: Sequence[str], candidates: Sequence[str]) -> str:
    """Return a sentence with names like it, or else with the likely candidates."""
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if candidates:
        return f"Candidates: {join_names(candidates)}"
    return "The graph has no candidate"


def join_names(names: Sequence[str], shown: int = _SHOWN) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
