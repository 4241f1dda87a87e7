"""Photos of which no two have the same bytes, though only some tens of pictures had to be drawn."""

import hashlib
import itertools
from dataclasses import dataclass, field
from functools import cache

from tests.support.expected_scores import expected_scores
from tests.support.photos import encode, photo, picture

_PICTURES = 24
_COMMENT = b"\xff\xfe"  # JPEG's COM segment: ITU T.81, B.2.4.5
_LARGE = (4000, 3000)


@cache
def _small_picture(number: int) -> bytes:
    return photo(number, size=(160 + 16 * (number % 4), 120))


@cache
def _large_picture() -> bytes:
    return encode(picture(_PICTURES).resize(_LARGE), "PNG", compress_level=1)


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one photo and the scores that they must get."""

    data: bytes
    sha256: str
    scores: dict[str, float]


@cache
def _scores(data: bytes) -> dict[str, float]:
    return expected_scores(data)


@cache
def _length() -> int:
    """Bytes of each small photo: all have as many, so that overwriting one does not change its size."""
    return max(len(_small_picture(number)) for number in range(_PICTURES)) + 64


@dataclass(slots=True)
class Contents:
    """Makes contents that differ in a comment inside the JPEG. Safe for any number of threads."""

    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def make(self) -> Content:
        """Return a small photo that was not made before; all have the same length."""
        number = next(self._numbers)
        plain = _small_picture(number % _PICTURES)
        room = _length() - len(plain) - len(_COMMENT) - 2
        text = b"number %d".ljust(room) % number
        comment = _COMMENT + (room + 2).to_bytes(2, "big") + text[:room]
        return _content(plain[:2] + comment + plain[2:], plain)

    def make_large(self) -> Content:
        """Return a photo that was not made before, and that keeps a worker busy."""
        plain = _large_picture()
        return _content(plain + b"number %d" % next(self._numbers), plain)


def _content(data: bytes, plain: bytes) -> Content:
    return Content(data, hashlib.sha256(data).hexdigest(), _scores(plain))


def prepare() -> None:
    """Draw and classify all pictures, before time is measured."""
    for number in range(_PICTURES):
        _scores(_small_picture(number))
    _scores(_large_picture())
