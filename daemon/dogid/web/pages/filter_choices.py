"""The filters that a visitor can choose from, each a link with the number of photos behind it."""

import datetime as dt
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dogid.ledger import gallery_queries, queries
from dogid.ledger.bounded_search import BoundedCount, Stopwatch, count_results
from dogid.ledger.gallery_queries import SeenDay
from dogid.web.pages.filters import PhotoFilter
from dogid.web.pages.formatting import visible

_STATES = ((None, "All"), ("classified", "Classified"), ("pending", "Pending"), ("failed", "Failed"))
_MOST_LINKS = 12
"""Labels or cameras up to this number are links; more are a drop-down list, as links would push the photos off."""
_MAX_LISTED = 200
"""Labels in a drop-down list; each makes every page some 60 bytes longer."""
_MAX_COUNTED = 1000
"""Labels that are counted: each costs a lookup in the ledger, and a model may know ten thousands."""
_MOST_BY_PEOPLE = 60
"""Labels of which is looked up whether people gave them; each is a lookup in the ledger."""
_MOST_PHOTOS = 1000
"""Photos that are counted of each link; of more it says so. Higher numbers take longer: each photo is a lookup."""
_CPU_SECONDS, _SECONDS = 0.015, 1.0
"""After which links have no number: more delays the page; with less, pages of large ledgers have fewer numbers. The
second is for disks: photos that were not read for long take a lookup on it each."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A link that changes one part of the filter; chosen again, it takes that part back."""

    name: str
    link: str
    is_chosen: bool
    count: str
    """How many photos it shows, in words; empty where that would take too long."""
    value: str = ""


@dataclass(frozen=True, slots=True)
class ChoiceList:
    """Labels or cameras."""

    choices: tuple[Choice, ...]
    """In alphabetical order, with the chosen one."""
    are_few: bool
    omission: str = ""
    """How many are not shown, in words; empty where all are."""


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """All links that change the filter."""

    states: tuple[Choice, ...]
    marks: tuple[Choice, ...]
    """Unsure, not reviewed, reviewed, and, the last, gone."""
    labels: ChoiceList
    folders: ChoiceList
    days: tuple[Choice, ...]

    @property
    def gone(self) -> Choice:
        """The photos of the filter that have left the inbox."""
        return self.marks[-1]


class _Counter:
    """Counts photos for links, until its time is over."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._stopwatch = Stopwatch(_CPU_SECONDS, _SECONDS)
        self._counts = {"all": queries.count_by_status(db), "present": queries.count_present_by_status(db)}
        everything, present = self._counts.values()
        self._counts["gone"] = {status: everything[status] - present[status] for status in everything}
        self._has_gone = any(self._counts["gone"].values())

    def count(self, photo_filter: PhotoFilter, ids: tuple[int, int] | None = None) -> str:
        """Return how many photos a filter shows, in words; empty where the time is over. ids: of the filter's day."""
        if (known := self._from_tally(photo_filter)) is not None:
            return f"{known:,}"
        if self._stopwatch.is_over:
            return ""
        if (known := self._count_unreviewed(photo_filter)) is not None:
            return f"{known:,}"
        return _in_words(self._look_up(photo_filter, ids))

    def _look_up(self, photo_filter: PhotoFilter, ids: tuple[int, int] | None = None) -> BoundedCount:
        wanted = photo_filter.to_result_filter(self._db, ids=ids, has_gone=self._has_gone)
        return count_results(self._db, wanted, _MOST_PHOTOS, self._stopwatch)

    def _count_unreviewed(self, photo_filter: PhotoFilter) -> int | None:
        """Return how many photos are not reviewed where the ledger keeps how many there are: few are reviewed."""
        if photo_filter.reviewed != "false" or photo_filter.status not in (None, "classified"):
            return None
        everything = photo_filter.change(reviewed=None, status="classified")
        total = self._from_tally(everything)
        if total is None:
            return None
        reviewed = self._look_up(replace(everything, reviewed="true"))
        return total - reviewed.number if reviewed.is_all else None

    def _from_tally(self, photo_filter: PhotoFilter) -> int | None:
        """Return the number where the ledger keeps it."""
        if not photo_filter.is_tallied:
            return None
        counts = self._counts[photo_filter.show]
        return sum(counts.values()) if photo_filter.status is None else counts[photo_filter.status]


def build_choices(
    db: sqlite3.Connection,
    this: PhotoFilter,
    model_labels: Sequence[str],
    likely: Sequence[str],
    seen_days: Sequence[SeenDay],
    today: dt.date,
) -> FilterChoices:
    """Return the links beside a filter.

    likely: labels that people may have given, the most used first; those that they gave come before the model's.
    seen_days: those that are links, the newest first.
    today: in the machine's time zone.
    """
    counter = _Counter(db)
    states = tuple(
        Choice(name, this.link(status=status), this.status == status, counter.count(this.change(status=status)))
        for status, name in _STATES
    )
    labels = _list_labels(db, this, model_labels, likely, counter)
    marks = tuple(
        _toggle(counter, this, name, key, value, off)
        for name, key, value, off in (
            ("Unsure", "unsure", True, False),
            ("Not reviewed", "reviewed", "false", None),
            ("Reviewed", "reviewed", "true", None),
            ("Left the inbox", "show", "gone", "present"),
        )
    )
    folders = _list_folders(db, this, counter)
    return FilterChoices(states, marks, labels, folders, _list_days(this, seen_days, today, counter))


def _toggle(counter: _Counter, this: PhotoFilter, name: str, key: str, value: object, off: object) -> Choice:
    is_chosen = getattr(this, key) == value
    link = this.link(**{key: off if is_chosen else value})
    return Choice(name, link, is_chosen, counter.count(this.change(**{key: value})), str(value))


def _list_labels(
    db: sqlite3.Connection, this: PhotoFilter, model_labels: Sequence[str], likely: Sequence[str], counter: _Counter
) -> ChoiceList:
    by_model = gallery_queries.list_given_labels(db, most=_MAX_COUNTED + 1)
    by_people = [
        label for label in likely[:_MOST_BY_PEOPLE]
        if label not in by_model and gallery_queries.is_given_by_people(db, label)
    ]  # fmt: skip
    given = [*by_people, *by_model]
    return _choose(this, "label", given, [*given, *(label for label in model_labels if label not in given)], counter)


def _list_folders(db: sqlite3.Connection, this: PhotoFilter, counter: _Counter) -> ChoiceList:
    folders = gallery_queries.list_first_folders(db, most=_MAX_COUNTED + 1)
    return _choose(this, "folder", folders, folders, counter)


def _choose(this: PhotoFilter, key: str, given: Sequence[str], known: Sequence[str], counter: _Counter) -> ChoiceList:
    """Return choices of known values, of which photos have the given ones."""
    chosen = getattr(this, key)
    values = sorted({*known[:_MAX_LISTED], *([chosen] if chosen else [])})
    are_few = len(values) <= _MOST_LINKS
    choices = tuple(
        Choice(
            visible(value),
            this.link(**{key: None if value == chosen else value}),
            value == chosen,
            ("0" if value not in given else counter.count(this.change(**{key: value}))) if are_few else "",
            value,
        )
        for value in values
    )
    omission = ""
    if len(known) > _MAX_LISTED:
        total = f"more than {_MAX_COUNTED:,}" if len(given) > _MAX_COUNTED else str(len(known))
        omission = f"first {_MAX_LISTED} of {total}"
    return ChoiceList(choices, are_few, omission)


def _list_days(
    this: PhotoFilter, seen_days: Sequence[SeenDay], today: dt.date, counter: _Counter
) -> tuple[Choice, ...]:
    days: dict[dt.date, tuple[int, int] | None] = {seen.day: (seen.first, seen.end) for seen in seen_days}
    if this.day is not None:
        days.setdefault(this.day, None)
    return tuple(
        Choice(
            day_name(day, today),
            this.link(day=None if day == this.day else day),
            day == this.day,
            counter.count(this.change(day=day), days[day]),
            day.isoformat(),
        )
        for day in sorted(days, reverse=True)
    )


def day_name(day: dt.date, today: dt.date) -> str:
    """Return how a day is called on a day."""
    if day == today:
        return "Today"
    if day == today - dt.timedelta(days=1):
        return "Yesterday"
    if today - day < dt.timedelta(days=180):
        return f"{day:%a} {day.day} {day:%b}"
    return f"{day.day} {day:%b %Y}"


def _in_words(count: BoundedCount) -> str:
    if count.is_all:
        return f"{count.number:,}"
    return f"{count.number:,}+" if count.number else ""
