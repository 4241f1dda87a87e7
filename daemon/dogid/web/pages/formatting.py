"""Errors, times, numbers and names as texts for people."""

import datetime as dt
import math
import os
import re
import unicodedata
from dataclasses import dataclass

from dogid.errors import PhotoCode
from dogid.file_names import one_line
from dogid.photo.decode import decodable_formats

_END_CELLS = 12
"""Of a name's end: the number and the kind of file. More do not fit beside a beginning on a phone's tile."""
_FITTING_CELLS = 16
"""Of a name that fits on a phone's tile."""
_UNITS = ("kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class ErrorExplanation:
    """Why a photo has no label, and what to do."""

    cause: str
    remedy: str


_EXPLANATIONS = {
    PhotoCode.TRUNCATED: ErrorExplanation(
        "The file ends early.", "It was probably not copied completely. Copy it into the inbox once more."
    ),
    PhotoCode.CORRUPT: ErrorExplanation(
        "The file is damaged.",
        "Open the original. If it opens, copy it into the inbox once more; if not, the photo itself is damaged.",
    ),
    PhotoCode.UNSUPPORTED: ErrorExplanation(
        "dogid does not decode this kind of file.",
        f"If this is no photo, remove it from the inbox. The usual kinds of {decodable_formats()} are decoded.",
    ),
    PhotoCode.TOO_LARGE: ErrorExplanation(
        "The photo is larger than the limits allow, or takes too long to decode.",
        "Scale it down, or raise max_bytes, max_pixels or decode_timeout in the settings.",
    ),
    PhotoCode.UNREADABLE: ErrorExplanation(
        "dogid could not read the file.",
        "Allow the daemon to read it, by the chmod in the message where there is one, and check the disk.",
    ),
    PhotoCode.EMPTY: ErrorExplanation("The file is empty.", "Copy the photo into the inbox once more."),
    PhotoCode.VANISHED: ErrorExplanation(
        "The file was removed before it could be read.", "Nothing to do, unless it should still be there."
    ),
    PhotoCode.INTERNAL: ErrorExplanation(
        "dogid or its model has a fault that this photo brings to light.",
        "The log has the details: please report them. Another model (dogid check) may classify it.",
    ),
}
_UNKNOWN = ErrorExplanation("The photo could not be classified.", "Copy it into the inbox once more.")


_LIMITS = {
    "max_bytes": ErrorExplanation(
        "The file has more bytes than max_bytes allows.", "Have the camera save smaller photos, or raise max_bytes."
    ),
    "max_pixels": ErrorExplanation(
        "The photo has more pixels than max_pixels allows.",
        "Have the camera take smaller photos, or raise max_pixels where the machine has the memory.",
    ),
    "decode_timeout": ErrorExplanation(
        "The photo takes longer to decode than decode_timeout allows.",
        "Scale it down, or raise decode_timeout on a slow machine.",
    ),
    "memory": ErrorExplanation(
        "Decoding the photo takes more memory than the machine or the setting memory allows.",
        "Scale it down, save it as an ordinary (not progressive) JPEG, or raise memory.",
    ),
}
"""Of photos that are too large, by the setting that their message names."""
_FOREIGN = re.compile(r"(?P<kind>.+) is not decoded: (?P<remedy>.+)", re.DOTALL)
"""What `photo/foreign_formats` says of a file that is something else: what it is, and what to do."""


_EXPLAINED = frozenset({PhotoCode.TRUNCATED, PhotoCode.EMPTY, PhotoCode.VANISHED})
"""Codes whose messages say the same as their explanations."""


def explain_error(code: str, message: str = "") -> ErrorExplanation:
    """Return the explanation of a photo's error code; message, the error's own, may fit it to the very reason."""
    try:
        known = PhotoCode(code)
    except ValueError:
        return _UNKNOWN
    foreign = _FOREIGN.fullmatch(message) if known is PhotoCode.UNSUPPORTED else None
    if foreign is not None:
        return ErrorExplanation(
            f"{_capitalized(foreign['kind'])} is not decoded.", f"{_capitalized(foreign['remedy'])}."
        )
    if known is PhotoCode.TOO_LARGE:
        named = next((setting for setting in _LIMITS if re.search(rf"\b{setting}\b", message)), None)
        return _EXPLANATIONS[known] if named is None else _LIMITS[named]
    return _EXPLANATIONS[known]


def error_detail(code: str, message: str) -> str:
    """Return a photo's technical message where it says more than the explanation of its error; else nothing."""
    if code in _EXPLAINED or (code == PhotoCode.UNSUPPORTED and _FOREIGN.fullmatch(message)):
        return ""
    return message


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def percentage(score: float) -> str:
    """Return a probability in percent; it is never rounded to 0 or 100 %."""
    if 0.995 <= score < 1:
        return "> 99 %"
    if 0 < score < 0.005:
        return "< 1 %"
    return f"{score:.0%}".replace("%", " %")


def short_time(moment: str, now: dt.datetime) -> str:
    """Return a short form of a moment, in the time zone of `now`.

    moment: ISO 8601 in UTC.
    now: the present, which decides whether the day and the year are shown.
    """
    local = dt.datetime.fromisoformat(moment).astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    if local.year == now.year:
        return f"{local.day} {local:%b, %H:%M}"
    return f"{local.day} {local:%b %Y}"


def full_time(moment: str, now: dt.datetime) -> str:
    """Return a moment, ISO 8601 in UTC, to the second and in the time zone of `now`."""
    return f"{dt.datetime.fromisoformat(moment).astimezone(now.tzinfo):%Y-%m-%d %H:%M:%S}"


def day(milliseconds: int, now: dt.datetime) -> str:
    """Return the day of a moment, in milliseconds since 1970, in the time zone of `now`."""
    local = dt.datetime.fromtimestamp(milliseconds / 1000, now.tzinfo)
    return f"{local.day} {local:%b}"


def byte_count(count: int) -> str:
    """Return a number of bytes with an SI unit: powers of 1000, as for disks."""
    if count < 1000:
        return f"{count} bytes"
    power = min(int(math.log(count + 0.5, 1000)), len(_UNITS))
    size = count / 1000**power
    return f"{size:.0f} {_UNITS[power - 1]}" if size >= 10 else f"{size:.1f} {_UNITS[power - 1]}"


def elide(name: str) -> tuple[str, str]:
    """Return a name's beginning, which may be shortened where there is no room, and its end, which stays.

    The end has up to _END_CELLS cells, of which Chinese, Japanese and Korean characters take two. A name that fits
    anywhere has no beginning.
    """
    widths = [2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in name]
    at, cells = len(name), 0
    if sum(widths) <= _FITTING_CELLS:
        return "", name
    while cells + widths[at - 1] <= _END_CELLS:
        at -= 1
        cells += widths[at]
    while at < len(name) and unicodedata.combining(name[at]):
        at += 1  # an accent stays with its letter
    return name[:at], name[at:]


def visible(text: str) -> str:
    """Return a name with control and direction characters as escapes, so that they cannot disguise it."""
    return one_line(text)


def visible_path(path: str | os.PathLike[str]) -> str:
    """Return a path as `visible` does, also one that is not UTF-8."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"))
