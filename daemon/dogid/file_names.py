"""Conversion between file names as bytes, as the kernel has them, and as text; names in messages."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

_SHOWN = 8


def shown_name(path: bytes) -> str:
    """Given a file name's bytes, return text: itself where it is UTF-8, else with its other bytes percent-encoded.

    In the second case `%` is encoded too, so that `possible_names` can recover the bytes.
    """
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        text = path.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
        return "".join(f"%{ord(letter) - 0xDC00:02X}" if "\udc80" <= letter <= "\udcff" else letter for letter in text)


def possible_names(shown: str) -> tuple[bytes, ...]:
    """Given a name from a user or client, return the file names that it may stand for, the literal one first."""
    literal = shown.encode("utf-8", "surrogateescape")
    decoded = unquote_to_bytes(literal)
    return (literal,) if decoded == literal else (literal, decoded)


def one_line(text: str) -> str:
    """Given any text, return it without line breaks and control characters, for a log or a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def join_names(names: Sequence[str], shown: int = _SHOWN) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
