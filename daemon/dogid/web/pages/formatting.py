"""What the page says in words: reasons, times, numbers, names."""

import datetime as dt
import math
import os
from dataclasses import dataclass

from dogid.errors import PhotoCode
from dogid.file_names import one_line

_UNITS = ("kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a photo has no label, for people."""

    what: str
    remedy: str


_REASONS = {
    PhotoCode.TRUNCATED: Reason(
        "The file ends early.", "Perhaps it was cut off while being copied. Copy it into the inbox once more."
    ),
    PhotoCode.CORRUPT: Reason(
        "The file is damaged.",
        "Open it where it comes from. If it opens there, copy it once more; if not, the photo itself is broken.",
    ),
    PhotoCode.UNSUPPORTED: Reason(
        "This is not a photo that dogid can read.",
        "It reads JPEG, PNG, WebP, BMP, GIF and TIFF. Save the photo as JPEG, or take the file out of the inbox.",
    ),
    PhotoCode.TOO_LARGE: Reason(
        "The photo is larger than the limits allow, or takes too long to decode.",
        "Make it smaller, or raise max_bytes, max_pixels or decode_timeout in the settings.",
    ),
    PhotoCode.UNREADABLE: Reason(
        "dogid could not read the file.",
        "Give the daemon the right to read it (chmod g+r), and check that the disk is well.",
    ),
    PhotoCode.EMPTY: Reason(
        "The file is empty.", "Its writer has put nothing into it. Copy the photo into the inbox once more."
    ),
    PhotoCode.VANISHED: Reason(
        "The file was taken away before it could be read.", "Nothing to do, unless it should still be there."
    ),
    PhotoCode.INTERNAL: Reason(
        "dogid or its model has a fault that this photo brings to light.",
        "The log has the details: please report them. Another model (dogid check) may classify it.",
    ),
}
_UNKNOWN = Reason("The photo could not be classified.", "Copy it into the inbox once more.")


def reason(code: str) -> Reason:
    """Given the error code of a photo, return what it means and what to do."""
    try:
        return _REASONS[PhotoCode(code)]
    except ValueError:
        return _UNKNOWN


def certainty(score: float) -> str:
    """Given a probability, return it in percent; never 0 or 100 where it is neither."""
    if 0.995 <= score < 1:
        return "> 99 %"
    if 0 < score < 0.005:
        return "< 1 %"
    return f"{score:.0%}".replace("%", " %")


def when(moment: str, now: dt.datetime) -> str:
    """Given a UTC moment in ISO 8601 and the present, return it short, in the present's time zone."""
    local = dt.datetime.fromisoformat(moment).astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"{local:%H:%M:%S}"
    if local.year == now.year:
        return f"{local.day} {local:%b, %H:%M}"
    return f"{local.day} {local:%b %Y}"


def moment_in_full(moment: str, now: dt.datetime) -> str:
    """Given a UTC moment in ISO 8601 and the present, return it to the second, in the present's time zone."""
    return f"{dt.datetime.fromisoformat(moment).astimezone(now.tzinfo):%Y-%m-%d %H:%M:%S}"


def byte_count(count: int) -> str:
    """Return a number of bytes for people, by thousands as disks are sold."""
    if count < 1000:
        return f"{count} bytes"
    power = min(int(math.log(count + 0.5, 1000)), len(_UNITS))
    size = count / 1000**power
    return f"{size:.0f} {_UNITS[power - 1]}" if size >= 10 else f"{size:.1f} {_UNITS[power - 1]}"


def visible(text: str) -> str:
    """Given any name, return it so that it shows what it holds: control and direction marks as escapes."""
    return one_line(text)


def visible_path(path: str | os.PathLike[str]) -> str:
    """Return a path of this machine for people, also one that is not UTF-8."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"))
