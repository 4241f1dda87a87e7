"""Which photos the page shows, and the links that lead to others."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from dogid.ledger import gallery_queries
from dogid.ledger.queries import STATUSES, ResultFilter

PAGE = 24
"""Photos at a time: two, three, four or six to a row leave no gap."""

_FEW_LABELS = 12  # are links; more are a list to choose from
_LISTED_LABELS = 200
_COUNTED_LABELS = 1000  # a model may know many more, and each that is counted costs a step in the ledger
_LARGEST_ID = (1 << 63) - 1
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a visitor has chosen."""

    status: str | None = None
    label: str | None = None
    before: int | None = None

    @classmethod
    def of(cls, arguments: Mapping[str, str]) -> "Wanted":
        """Given the arguments of the request, return the choice; what makes no sense is left out."""
        status, label, before = (arguments.get(key) or None for key in ("status", "label", "before"))
        return cls(
            status=status if status in STATUSES else None,
            label=label,
            before=_whole_number(before),
        )

    def filter(self, limit: int = PAGE) -> ResultFilter:
        """Return this as a question to the ledger."""
        return ResultFilter(limit=limit, before=self.before, label=self.label, status=self.status)

    def link(self, **changes: str | int | None) -> str:
        """Return the page's address with this choice and some changes, and from the newest photo on."""
        chosen: dict[str, str | int | None] = {"status": self.status, "label": self.label, **changes}
        arguments = urlencode({key: value for key, value in chosen.items() if value is not None})
        return f"/?{arguments}" if arguments else "/"


@dataclass(frozen=True, slots=True)
class Labels:
    """What a visitor can choose from."""

    shown: tuple[str, ...]
    """In the order of the alphabet, the chosen one among them."""
    are_few: bool
    left_out: str
    """What is not shown, in words; empty where all are."""


def offered_labels(db: sqlite3.Connection, chosen: str | None) -> Labels:
    """Return the labels that photos have; where there are many, the first of them, and the chosen one in any case."""
    given = gallery_queries.labels_given(db, most=_COUNTED_LABELS + 1)
    shown = sorted({*given[:_LISTED_LABELS], *([chosen] if chosen else [])})
    left_out = ""
    if len(given) > _LISTED_LABELS:
        total = str(len(given)) if len(given) <= _COUNTED_LABELS else f"more than {_COUNTED_LABELS}"
        left_out = f"first {_LISTED_LABELS} of {total}"
    return Labels(tuple(shown), len(shown) <= _FEW_LABELS, left_out)


def _whole_number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return min(int(text), _LARGEST_ID)
