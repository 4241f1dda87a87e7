"""When a photo was taken, as its camera wrote it into the EXIF.

Source: CIPA DC-008 (Exif 2.32), 4.6.5: the directories of a TIFF, in one of which the date stands as text. Pillow reads
all of them for 40 microseconds and more, of which a small photo takes one for every percent; this reads two entries.
"""

import re
import struct
from datetime import MAXYEAR, MINYEAR, datetime

_EXIF = b"Exif\0\0"
_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_EXIF_DIRECTORY = 0x8769
_DATES = ((0x9003, 0x9011), (0x9004, 0x9012))
"""Tags of date and offset from UTC: of the moment (DateTimeOriginal), else of when it was stored (DateTimeDigitized).

Not DateTime (0x0132): programs that edit a photo write theirs there.
"""
_TEXT, _ENTRY = 2, 12  # the type; bytes of an entry
_MOST_ENTRIES = 512  # of a directory; more let damaged data keep a processor longer
_DATE = re.compile(rb"(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(rb"[+-]\d\d:\d\d")
_WANTED = frozenset(tag for pair in _DATES for tag in pair)
LENGTH = 25
"""Characters of the longest answer."""


def read_taken_at(exif: bytes) -> str | None:
    """Given EXIF, with or without its `Exif` mark, or a TIFF, return when the photo was taken; None where it says not.

    ISO 8601 to the second: `2024-05-01T12:34:56`, the camera's own time, with `+02:00` where it says its offset.
    """
    try:
        tags = _read_tags(exif[len(_EXIF) :] if exif.startswith(_EXIF) else exif)
    except struct.error:  # damaged EXIF is no reason to refuse a good image
        return None
    for date, offset in _DATES:
        found = _DATE.match(tags.get(date, b""))
        if found is None:
            continue
        moment = "{}-{}-{}T{}:{}:{}".format(*(part.decode() for part in found.groups()))
        zone = _OFFSET.match(tags.get(offset, b""))
        for text in (moment + zone[0].decode() if zone else "", moment):
            if is_moment(text):
                return text
    return None


def is_moment(text: str) -> bool:
    """Return whether a text is a date and time as `read_taken_at` returns them; cameras without one write zeros.

    In the first and last year of the calendar an offset may lead out of it.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text and len(text) <= LENGTH and MINYEAR < moment.year < MAXYEAR


def _read_tags(tiff: bytes) -> dict[int, bytes]:
    """Return the texts of the dates and offsets by their tags, of the first directory and the one for EXIF."""
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return {}
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    tags: dict[int, bytes] = {}
    inner = _read_directory(tiff, order, first, tags)
    if inner is not None:
        _read_directory(tiff, order, inner, tags)
    return tags


def _read_directory(tiff: bytes, order: str, at: int, tags: dict[int, bytes]) -> int | None:
    """Add the dates of a directory to tags; return where the directory for EXIF begins, if it names one."""
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    end = at + 2 + min(count, _MOST_ENTRIES) * _ENTRY
    inner = None
    for tag, kind, length, value in struct.iter_unpack(f"{order}HHII", tiff[at + 2 : end]):
        if tag == _EXIF_DIRECTORY:
            inner = value
        elif kind == _TEXT and length > 4 and tag in _WANTED:
            tags[tag] = tiff[value : value + LENGTH]
    return inner
