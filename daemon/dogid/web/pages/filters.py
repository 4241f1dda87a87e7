"""Which photos the page shows, and links to others."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from dogid.ledger import gallery_queries
from dogid.ledger.queries import MAX_ID, ResultFilter
from dogid.ledger.result_rows import STATUSES

PAGE = 24
"""Photos on a page: rows of two, three, four or six leave no gap."""

_MAX_LINKS = 12
"""Labels up to this number are links; more are a drop-down list, as links would push the photos off the screen."""
_MAX_LISTED = 200
"""Labels in the drop-down list; each makes every page some 60 bytes longer."""
_MAX_COUNTED = 1000
"""Labels that are counted: each costs a lookup in the ledger, and a model may know ten thousands."""
_MOST_BY_PEOPLE = 60
"""Labels of which is looked up whether people gave them; each is a lookup in the ledger."""
_MAX_DIGITS = len(str(MAX_ID))


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """The filter that a visitor has chosen."""

    status: str | None = None
    label: str | None = None
    before: int | None = None
    shows_absent: bool = False
    """Whether photos that have left the inbox are shown, too."""
    unsure: bool = False
    """Whether only answers below their label's threshold are shown."""

    @classmethod
    def from_query(cls, params: Mapping[str, str]) -> "PhotoFilter":
        """Given the parameters of a request, return the filter; invalid values are ignored."""
        status, label, before = (params.get(key) or None for key in ("status", "label", "before"))
        return cls(
            status=status if status in STATUSES else None,
            label=label,
            before=_whole_number(before),
            shows_absent=params.get("show") == "all",
            unsure=params.get("unsure") == "yes",
        )

    def to_result_filter(self, limit: int = PAGE) -> ResultFilter:
        """Return the same filter for the ledger, for at most limit results."""
        present = None if self.shows_absent else True
        unsure = True if self.unsure else None
        return ResultFilter(limit, self.before, label=self.label, status=self.status, present=present, unsure=unsure)

    def link(self, **changes: str | int | None) -> str:
        """Return the URL of the page with this filter and some changes, starting at the newest photo."""
        params: dict[str, str | int | None] = {
            "status": self.status,
            "label": self.label,
            "show": "all" if self.shows_absent else None,
            "unsure": "yes" if self.unsure else None,
            **changes,
        }
        query = urlencode({key: value for key, value in params.items() if value is not None})
        return f"/?{query}" if query else "/"


@dataclass(frozen=True, slots=True)
class LabelChoices:
    """Labels that a visitor can choose from."""

    shown: tuple[str, ...]
    """In alphabetical order, with the chosen one."""
    are_few: bool
    omission: str
    """How many labels are not shown, in words; empty where all are."""


def label_choices(db: sqlite3.Connection, chosen: str | None, likely: Sequence[str] = ()) -> LabelChoices:
    """Return the labels that photos have, the first few hundred of them, and always the chosen one.

    likely: labels that people may have given, the most used first; those that they gave come before the model's.
    """
    by_model = gallery_queries.list_given_labels(db, most=_MAX_COUNTED + 1)
    by_people = [
        label for label in likely[:_MOST_BY_PEOPLE]
        if label not in by_model and gallery_queries.is_given_by_people(db, label)
    ]  # fmt: skip
    given = [*by_people, *by_model]
    shown = sorted({*given[:_MAX_LISTED], *([chosen] if chosen else [])})
    omission = ""
    if len(given) > _MAX_LISTED:
        total = str(len(given)) if len(given) <= _MAX_COUNTED else f"more than {_MAX_COUNTED}"
        omission = f"first {_MAX_LISTED} of {total}"
    return LabelChoices(tuple(shown), len(shown) <= _MAX_LINKS, omission)


def _whole_number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return min(int(text), MAX_ID)
