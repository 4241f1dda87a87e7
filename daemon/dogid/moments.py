"""Moments that people type: dates, times, and how long ago."""

import re
from datetime import UTC, date, datetime, timedelta

_AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w)", re.IGNORECASE)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAY = re.compile(r"\d{4}-?\d\d-?\d\d")
EXAMPLES = "2026-11-29, 2026-11-29T08:00, 2026-11-29T07:00Z, today, yesterday, or 90m, 12h, 7d, 2w ago"


def parse_typed_moment(text: str, now: datetime, *, is_end: bool = False) -> int:
    """Return milliseconds since 1970 of a moment that a person typed, by the local time zone where it names none.

    A day stands for its beginning, or with is_end for its end; `12h` for so long before now, which has a time zone.
    Raise ValueError, with what may be typed.
    """
    word = text.strip().lower()
    ago = _AGO.fullmatch(word)
    try:
        if ago is not None:
            return _milliseconds(now - int(ago[1]) * _UNITS[ago[2]])
        if word in ("today", "yesterday"):
            day = now.date() - timedelta(days=word == "yesterday")
        elif _DAY.fullmatch(word):
            day = date.fromisoformat(word)
        else:
            return _milliseconds(datetime.fromisoformat(text.strip()))
        day += timedelta(days=is_end)
        return _milliseconds(datetime(day.year, day.month, day.day))  # noqa: DTZ001  # local midnight, also in summer
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no moment: write {EXAMPLES}") from None


def _milliseconds(moment: datetime) -> int:
    return round((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
