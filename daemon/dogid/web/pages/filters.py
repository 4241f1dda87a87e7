"""Which photos the page shows, and links to others."""

import datetime as dt
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from dogid.ledger import gallery_queries, queries
from dogid.ledger.bounded_search import BoundedSearch, needs_bound
from dogid.ledger.queries import MAX_ID, ResultFilter
from dogid.ledger.result_rows import STATUSES
from dogid.result_document import Result
from dogid.web.pages.certainty import DEFAULT_THRESHOLD

PAGE = 24
"""Photos on a page: rows of two, three, four or six leave no gap."""

_MAX_DIGITS = len(str(MAX_ID))
_MAX_NAME = 200
"""Characters of a part of a file's name; longer ones are cut."""
_ONE_OF_TWO = 0.5
"""Share of a request's time for a search among newer photos, or for the next photo: another search comes with it."""
_PRESENCE = {"present": True, "all": None, "gone": False}


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """The filter that a visitor has chosen. All parts combine."""

    status: str | None = None
    label: str | None = None
    folder: str | None = None
    """The first folder of the photos' paths: a camera."""
    day: dt.date | None = None
    """On which the photos were seen first, in the machine's time zone."""
    name: str | None = None
    """A part of the photos' paths."""
    reviewed: str | None = None
    """`true`: a person's word stands; `false`: none does."""
    unsure: bool = False
    """Whether only answers below their label's threshold are shown."""
    show: str = "present"
    """Photos that are in the inbox, `present`, those that have left it, `gone`, or `all`."""
    before: int | None = None

    @classmethod
    def from_query(cls, params: Mapping[str, str], place: str = "before") -> "PhotoFilter":
        """Given the parameters of a request, return the filter; invalid values are ignored.

        place: the parameter that holds `before`.
        """
        values = {key: params.get(key) or None for key in ("status", "label", "folder", "reviewed", "show", place)}
        folder, name = values["folder"], (params.get("name") or "").strip()
        return cls(
            status=values["status"] if values["status"] in STATUSES else None,
            label=values["label"],
            folder=folder.strip("/").partition("/")[0] or None if folder else None,
            day=_date(params.get("day")),
            name=name[:_MAX_NAME] or None,
            reviewed=values["reviewed"] if values["reviewed"] in ("true", "false") else None,
            unsure=params.get("unsure") == "yes",
            show=values["show"] if values["show"] in _PRESENCE else "present",
            before=_whole_number(values[place]),
        )

    @property
    def is_chosen(self) -> bool:
        """Whether anything but the place is chosen."""
        return self.status is not None or self.show != "present" or not self.is_tallied

    @property
    def is_tallied(self) -> bool:
        """Whether it asks for nothing but a status and presence, of which the ledger keeps the numbers."""
        parts = (self.label, self.folder, self.day, self.name, self.reviewed)
        return not self.unsure and all(part is None for part in parts)

    def to_result_filter(
        self, db: sqlite3.Connection, limit: int = PAGE, ids: tuple[int, int] | None = None, *, has_gone: bool = True
    ) -> ResultFilter:
        """Return the same filter for the ledger, for at most limit results.

        ids: what `find_day` finds for the filter's day, where that is known; looking it up takes longer than to count.
        has_gone: whether any photo has left the inbox. Where none has, an index can count without the rows.
        """
        first, end = ids or ((None, None) if self.day is None else find_day(db, self.day))
        return ResultFilter(
            limit,
            before=min((number for number in (self.before, end) if number is not None), default=None),
            from_id=first,
            label=self.label,
            status=self.status or ("classified" if self.reviewed == "false" else None),  # no others can be reviewed
            present=_PRESENCE[self.show] if has_gone or self.show != "present" else None,
            reviewed=self.reviewed,
            folder=self.folder,
            unsure=True if self.unsure else None,
            default_threshold=DEFAULT_THRESHOLD,
            name=self.name,
        )

    def change(self, **changes: Any) -> "PhotoFilter":
        """Return the filter with some changes, starting at the newest photo."""
        return PhotoFilter(**self._values(changes))

    def link(self, **changes: Any) -> str:
        """Return the URL of the page with this filter and some changes, starting at the newest photo."""
        query = urlencode(_parameters(self._values(changes), "before"))
        return f"/?{query}" if query else "/"

    def _values(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _PARTS} | {"before": None, **changes}

    def photo_link(self, photo_id: int, view: str = "photo") -> str:
        """Return the URL of a photo, that one came to by this filter. view: `photo`, or `full` for the full screen."""
        query = self.query("place")
        return f"/page/{view}/{photo_id}?{query}" if query else f"/page/{view}/{photo_id}"

    def fields(self) -> list[tuple[str, str]]:
        """Return the parameters of the filter, but for its place, as the hidden fields of a form that changes some."""
        return list(_parameters(self._values({}), "before").items())

    def query(self, place: str = "before") -> str:
        """Return the filter as the query of a URL; place: the parameter for `before`."""
        return urlencode(_parameters(self._values({"before": self.before}), place))


_PARTS = tuple(part.name for part in fields(PhotoFilter))


def _parameters(values: Mapping[str, Any], place: str) -> dict[str, str]:
    """Return the parameters of a URL for the parts of a filter."""
    params = {key: values[key] for key in ("status", "label", "folder", "day", "name", "reviewed")}
    params["unsure"] = "yes" if values["unsure"] else None
    params["show"] = values["show"] if values["show"] != "present" else None
    params[place] = values["before"]
    return {key: str(value) for key, value in params.items() if value is not None}


def label_link(label: str) -> str:
    """Return the URL of a label's own page."""
    return f"/page/label?{urlencode({'label': label})}"


def find_page(
    db: sqlite3.Connection, photo_filter: PhotoFilter, limit: int = PAGE, share: float = 1.0
) -> tuple[list[Result], int | None]:
    """Return the photos of a page, and `before` of the next; None where there is none. share: see BoundedSearch."""
    wanted = photo_filter.to_result_filter(db, limit)
    if needs_bound(wanted):
        search = BoundedSearch(db, wanted, share)
        return list(search), search.next_before
    found = queries.list_results(db, replace(wanted, limit=limit + 1))
    return found[:limit], found[limit - 1]["id"] if len(found) > limit else None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The photo that comes next to another in a filter."""

    id: int | None = None
    """None where there is none, or none was found within the time of a request."""
    further: int | None = None
    """Where time was over first: `before` of the page on which the search goes on."""


def find_newer(db: sqlite3.Connection, photo_filter: PhotoFilter, photo_id: int) -> Neighbour:
    """Return the photo that comes before one in the filter."""
    found, further = _search_newer(db, photo_filter, photo_id, 1, _ONE_OF_TWO)
    return Neighbour(found[0]) if found else Neighbour(further=further)


def find_older(db: sqlite3.Connection, photo_filter: PhotoFilter, photo_id: int) -> Neighbour:
    """Return the photo that comes after one in the filter."""
    found, further = find_page(db, photo_filter.change(before=photo_id), 1, _ONE_OF_TWO)
    return Neighbour(found[0]["id"]) if found else Neighbour(further=further)


@dataclass(frozen=True, slots=True)
class NewerPage:
    """The page with the photos that come before those of another."""

    before: int
    is_found: bool
    """Whether photos are on it; else time was over first, and the search goes on there."""


def find_newer_page(db: sqlite3.Connection, photo_filter: PhotoFilter, shown: Sequence[Result]) -> NewerPage | None:
    """Return the page before one that shows these photos of a filter; None where that is the newest page."""
    if photo_filter.before is None:
        return None
    start = shown[0]["id"] if shown else photo_filter.before - 1
    newer, further = _search_newer(db, photo_filter, start, PAGE + 1, _ONE_OF_TWO)
    if len(newer) > PAGE:
        return NewerPage(newer[PAGE - 1] + 1, is_found=True)
    if further is not None:
        return NewerPage(further, is_found=bool(newer))
    return NewerPage(newer[-1] + 1, is_found=True) if newer and not shown else None


def _search_newer(
    db: sqlite3.Connection, photo_filter: PhotoFilter, photo_id: int, limit: int, share: float
) -> tuple[list[int], int | None]:
    """Return ids of photos that come before one in the filter, the nearest first, and, where time was over before the
    limit was reached, `before` of the page that ends with the last one that was looked at.
    """
    wanted = photo_filter.change().to_result_filter(db, limit)
    search = BoundedSearch(db, replace(wanted, after=photo_id), share)
    found = [result["id"] for result in search]
    return found, None if len(found) == limit or search.next_after is None else search.next_after + 1


def find_day(db: sqlite3.Connection, day: dt.date) -> tuple[int, int]:
    """Return the id of the first photo that was seen on a day, in the machine's time zone, and of the first after."""
    edges = [dt.datetime.combine(day, dt.time()), dt.datetime.combine(day + dt.timedelta(days=1), dt.time())]
    first, end = gallery_queries.find_first_ids_since(db, [round(edge.timestamp() * 1000) for edge in edges])
    return first, end


def _date(text: str | None) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if 1970 < found.year < 9999 else None  # others have no timestamp on every machine


def _whole_number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return min(int(text), MAX_ID)
