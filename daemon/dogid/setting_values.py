"""How the texts of single settings become values, and what is wrong with those that cannot."""

import math
from collections.abc import Callable
from pathlib import Path

_LEAST_MEMORY = 16  # MB: a JPEG of 12 megapixels takes 5, a PNG of 2 megapixels 12
_MOST_NAME = 63  # characters, as of a host


def parse_path(text: str) -> Path:
    """Return a path. Raise ValueError, as all of these do, with what is wrong."""
    if not text:
        raise ValueError("must not be empty")
    if text == "~" or text.startswith("~/"):
        raise ValueError("~ does not stand for a home folder here: write the whole path")
    return Path(text)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number from low to high."""

    def parse(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def parse_megabytes(text: str) -> int:
    """Read a limit of memory. What is below the least would refuse nearly all photos: a mistake in the unit."""
    number = whole_number(0, 1_000_000)(text)
    if 0 < number < _LEAST_MEMORY:
        raise ValueError(f"must be {_LEAST_MEMORY} or more, which is what an ordinary photo needs, or 0")
    return number


def parse_name(text: str) -> str:
    """Return a name for people, as of a daemon."""
    if not text.strip() or not text.isprintable() or len(text) > _MOST_NAME:
        raise ValueError(f"must be a name of 1 to {_MOST_NAME} printable characters")
    return text.strip()


def seconds(low: float, high: float) -> Callable[[str], float]:
    """Return what reads seconds from low to high."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return value

    return parse


def one_of(*known: str) -> Callable[[str], str]:
    """Return what reads one of some words, in small letters."""

    def parse(text: str) -> str:
        if text.lower() not in known:
            raise ValueError(f"must be {', '.join(known[:-1])} or {known[-1]}")
        return text.lower()

    return parse


def parse_switch(text: str) -> bool:
    """Return whether a switch is on."""
    try:
        return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise ValueError("must be yes or no") from None


def parse_share(value: object) -> float:
    """Return a number of the file from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(value)


def parse_host_names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas."""
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())
