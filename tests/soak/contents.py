"""Photos of which no two have the same bytes, though only some tens of pictures had to be drawn."""

import hashlib
import itertools
from dataclasses import dataclass, field
from functools import cache

from tests.support.expected_scores import expected_scores
from tests.support.photos import photo

_PICTURES = 24
_COMMENT = b"\xff\xfe"  # JPEG's COM segment: ITU T.81, B.2.4.5


@cache
def _picture(number: int) -> bytes:
    return photo(number, size=(160 + 16 * (number % 4), 120))


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one photo and the scores that they must get."""

    data: bytes
    sha256: str
    scores: dict[str, float]


@cache
def _scores(picture: int) -> dict[str, float]:
    return expected_scores(_picture(picture))


@dataclass(slots=True)
class Contents:
    """Makes contents that differ in a comment inside the JPEG. Safe for any number of threads."""

    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def make(self) -> Content:
        """Return a photo that was not made before."""
        number = next(self._numbers)
        picture = number % _PICTURES
        text = f"number {number}".encode()
        plain = _picture(picture)
        data = plain[:2] + _COMMENT + (len(text) + 2).to_bytes(2, "big") + text + plain[2:]
        return Content(data, hashlib.sha256(data).hexdigest(), _scores(picture))


def prepare() -> None:
    """Draw and classify all pictures, before time is measured."""
    for number in range(_PICTURES):
        _scores(number)
