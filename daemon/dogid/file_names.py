"""Conversion between file names as bytes, as the kernel has them, and as text; names in messages."""

import os
import re
import shlex
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from dogid.literals import parse_literal

_SHOWN = 8
_ESCAPE = re.compile(r"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U000[0-9a-f]{5}|U0010[0-9a-f]{4})")


def shown_name(path: bytes) -> str:
    """Given a file name's bytes, return text: itself where it is UTF-8, else with its other bytes percent-encoded.

    In the second case `%` is encoded too, and so it is in a UTF-8 name that another name is shown as: no two names are
    shown alike, and `possible_names` can recover the bytes.
    """
    names = [path]
    while (other := unquote_to_bytes(names[-1])) != names[-1]:
        names.append(other)
    shown = ""
    for name in reversed(names):  # whether a name is shown as it is depends on how the one after it is shown
        shown = _percent_encode(name) if shown.encode() == name or not _is_utf8(name) else name.decode()
    return shown


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _percent_encode(path: bytes) -> str:
    text = path.replace(b"%", b"%25").decode("utf-8", "surrogateescape")
    return "".join(f"%{ord(letter) - 0xDC00:02X}" if "\udc80" <= letter <= "\udcff" else letter for letter in text)


def possible_names(shown: str) -> tuple[bytes, ...]:
    """Given a name from a user or client, return the file names that it may stand for: first the one shown so."""
    literal = shown.encode("utf-8", "surrogateescape")
    decoded = unquote_to_bytes(literal)
    if decoded == literal:
        return (literal,)
    return (decoded, literal) if shown_name(decoded) == shown else (literal, decoded)


def one_line(text: str) -> str:
    """Given any text, return it without line breaks and control characters, for a log or a terminal."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def from_one_line(line: str) -> str:
    """Given what `one_line` returned, return the text with its line breaks and control characters."""
    return _ESCAPE.sub(lambda found: parse_literal(f"'{found[0]}'"), line)


def quote_for_shell(path: str | os.PathLike[str] | bytes) -> str:
    """Return a path as it is typed at bash or zsh, in one line, whatever bytes it has."""
    raw = os.fsencode(path)
    if _is_utf8(raw) and (text := raw.decode()).isprintable():
        return shlex.quote(text)
    # https://www.gnu.org/software/bash/manual/html_node/ANSI_002dC-Quoting.html
    return "$'" + "".join(f"\\x{byte:02x}" if _needs_escape(byte) else chr(byte) for byte in raw) + "'"


def _needs_escape(byte: int) -> bool:
    return byte in b"'\\" or not 32 <= byte < 127


def quote_for_unit(path: str | os.PathLike[str] | bytes) -> str:
    """Return a path as it is written in a list of paths of a systemd unit, where blanks, `:` and `%` have a meaning.

    See systemd.syntax(7) and systemd.unit(5), Specifiers.
    """
    text = shown_name(os.fsencode(path))
    if re.fullmatch(r"[\w@+=,./~-]*", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def join_names(names: Sequence[str], shown: int = _SHOWN) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
