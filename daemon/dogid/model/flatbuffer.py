"""Reading untrusted FlatBuffers: every offset and length is checked before it is followed.

The format: https://flatbuffers.dev/internals/. A generated reader trusts its file, needs a package, and Python's slices
would answer wrong offsets with empty values instead of errors.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_MOST_TABLES = 200_000
"""Entries of one vector of tables: no network has more operators, and a crafted file could name one of them often."""


class FlatbufferError(ValueError):
    """The bytes are no FlatBuffer, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table within data; its fields are numbered in the order of their schema."""

    data: bytes
    at: int

    def number(self, field: int, kind: str, default: int = 0) -> int:
        """Return a scalar; kind is its struct format, B, b, I, i or Q."""
        place = self.place(field)
        return default if place is None else int(_value(self.data, place, kind))

    def real(self, field: int, default: float = 0.0) -> float:
        """Return a float32."""
        place = self.place(field)
        return default if place is None else float(_value(self.data, place, "f"))

    def slots(self) -> dict[int, bytes]:
        """Return the bytes in the place of each field that is there: 1, 2, 4 or 8.

        How long a scalar is, its schema alone would say: these reach as far as they may, so zeros can follow it.
        """
        fields = self.at - _value(self.data, self.at, "i")
        size = _value(self.data, fields + 2, "H")
        count = (_value(self.data, fields, "H") - 4) // 2
        places = {field: place for field in range(count) if (place := self.place(field)) is not None}
        found = {}
        for field, place in places.items():
            end = min((other for other in places.values() if other > place), default=self.at + size)
            length = next(
                length for length in (8, 4, 2, 1) if place + length <= max(end, place + 1) and place % length == 0
            )
            found[field] = self.data[place : place + length]
        return found

    def table(self, field: int) -> "Table | None":
        """Return a table or the content of a union, None where it is left out."""
        place = self.place(field)
        return None if place is None else _table_at(self.data, _followed(self.data, place))

    def tables(self, field: int) -> Iterator["Table"]:
        """Yield the tables of a vector."""
        start, count = self.vector(field, 4)
        if count > _MOST_TABLES:
            raise FlatbufferError(f"a vector of {count} tables")
        for i in range(count):
            yield _table_at(self.data, _followed(self.data, start + 4 * i))

    def numbers(self, field: int, kind: str) -> tuple[Any, ...]:
        """Return a vector of scalars; kind is their struct format, i or f for example."""
        start, count = self.vector(field, struct.calcsize(kind))
        return struct.unpack_from(f"<{count}{kind}", self.data, start) if count else ()

    def content(self, field: int, size: int = 1) -> bytes:
        """Return a string or a vector, whose elements have size bytes, as it is stored; empty where it is left out."""
        start, count = self.vector(field, size)
        return self.data[start : start + count * size]

    def text(self, field: int) -> str:
        """Return a string, empty where it is left out."""
        return self.content(field).decode("utf-8", "replace")

    def place(self, field: int) -> int | None:
        """Return where a field lies in data, None where it is left out."""
        fields = self.at - _value(self.data, self.at, "i")
        slot = 4 + 2 * field
        if slot + 2 > _value(self.data, fields, "H"):
            return None
        offset = _value(self.data, fields + slot, "H")
        return self.at + offset if offset else None

    def vector(self, field: int, size: int) -> tuple[int, int]:
        """Return where a vector's first element lies, and how many there are; all of them lie within data."""
        place = self.place(field)
        if place is None:
            return 0, 0
        at = _followed(self.data, place)
        count = _value(self.data, at, "I")
        if at + 4 + count * size > len(self.data):
            raise FlatbufferError("a vector reaches beyond the end")
        return at + 4, count


def root(data: bytes, identifier: bytes) -> Table:
    """Return the outermost table. Raise FlatbufferError, as all of Table's methods do, where data is damaged."""
    if data[4:8] != identifier:
        raise FlatbufferError(f"no {identifier.decode()} at its beginning")
    return _table_at(data, _followed(data, 0))


def _table_at(data: bytes, at: int) -> Table:
    _value(data, at - _value(data, at, "i"), "H")
    return Table(data, at)


def _followed(data: bytes, at: int) -> int:
    return at + int(_value(data, at, "I"))


def _value(data: bytes, at: int, kind: str) -> Any:
    # struct would count a negative place from the end
    if at < 0 or at + struct.calcsize(kind) > len(data):
        raise FlatbufferError("an offset points outside")
    return struct.unpack_from(f"<{kind}", data, at)[0]
