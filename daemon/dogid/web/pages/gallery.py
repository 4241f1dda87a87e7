"""Which photos the page shows, and the links that lead to others."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from dogid.ledger.queries import STATUSES, ResultFilter

PAGE = 24
"""Photos at a time: two, three, four or six to a row leave no gap."""

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


def _whole_number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return min(int(text), _LARGEST_ID)
