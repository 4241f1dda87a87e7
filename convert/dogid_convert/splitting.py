"""Which photos judge, which stop a training, which belong together: told from content and name alone."""

import re

HELD_OUT_PERCENT = 10
"""The share of photos that a model is judged on and not trained on, as in TensorFlow's retrain example."""
VALIDATION_PERCENT = 10
"""The share that tells when to stop a training, as there. It judges nothing: what was chosen by it looks good on it."""


def is_held_out(sha256: str, percent: int = HELD_OUT_PERCENT) -> bool:
    """Whether a photo is for judging. Told from its content alone: new photos never move the old ones."""
    return _place(sha256) < percent


def is_for_validation(sha256: str) -> bool:
    """Whether a photo tells when to stop, where a training is stopped early. Never one that is held out."""
    return HELD_OUT_PERCENT <= _place(sha256) < HELD_OUT_PERCENT + VALIDATION_PERCENT


def group_of(name: str, pattern: re.Pattern[str]) -> str:
    """Return the group (source, camera) that a file name tells: the pattern's first group or its whole match.

    A name that does not match is a group of its own kind, "".
    """
    match = pattern.match(name)
    if match is None:
        return ""
    return match.group(1) if pattern.groups else match.group(0)


def _place(sha256: str) -> int:
    return int(sha256[:8], 16) % 100
