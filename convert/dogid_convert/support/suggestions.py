"""Suggesting names that a user may have meant."""

import difflib
from collections.abc import Sequence

from dogid.file_names import join_names


def did_you_mean(name: str, known: Sequence[str], candidates: Sequence[str]) -> str:
    """Return a sentence with names like it, or else with the likely candidates."""
    close = difflib.get_close_matches(name, known, n=3)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if candidates:
        return f"Candidates: {join_names(candidates)}"
    return "The graph has no candidate"
