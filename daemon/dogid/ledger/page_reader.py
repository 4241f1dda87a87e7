"""Reading the rows of a SQLite database page by page, without SQLite: what a damaged file still holds.

Source of the format: https://sqlite.org/fileformat2.html. Only what dogid's own tables need is read: UTF-8, no reserved
bytes at the end of pages.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Self

from dogid.ledger.row_repair import Value
from dogid.ledger.write_ahead_log import read_log

USUAL_PAGE_SIZE = 4096
"""Bytes of a page, unless the ledger was rebuilt with another size."""
_SCHEMA = "sqlite_schema"
_INTERIOR_TABLE, _LEAF_TABLE, _LEAF_INDEX = 5, 13, 10
_FILE_HEADER = 100
_PAGE_SIZES = [1 << power for power in range(9, 17)]
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_FEW_ROWS = 10  # of a lost page without rowids that is read: counters are few, and an index has nothing of its own
_MOST_PAYLOAD = 64 << 20  # of one row; a damaged length above it is not followed


class Row(NamedTuple):
    """A row as it lies in a leaf page."""

    table: str | None
    """None where the table's tree no longer leads to the page."""
    id: int
    """The rowid; 0 in a table without one."""
    values: list[Value]


class DatabaseFile:
    """A database file with what its write-ahead log adds, open until `close`."""

    def __init__(self, path: Path, page_size: int | None = None) -> None:
        """page_size in bytes; None: what the header says, if it may be. Raise OSError where it cannot be read."""
        self._file = path.open("rb")
        self.page_size = page_size or _noted_page_size(self._file.read(_FILE_HEADER))
        log = read_log(path.with_name(path.name + "-wal"), self.page_size)
        in_file = -(-path.stat().st_size // self.page_size)
        self._count = max(in_file, max(log, default=0))
        self._pages = _Pages(self._file.fileno(), self.page_size, log, self._count)
        self._free = _free_pages(self._pages)
        self.unreadable = 0
        """Pages that belong to tables and are none, and rows in pages that cannot be read, so far."""
        self._owners = self._find_owners()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read_rows(self, *tables: str | None) -> Iterator[Row]:
        """Yield the rows of some tables, in the order of the pages; None: of pages whose table is lost."""
        for number in range(1, self._count + 1):
            owner = self._owners.get(number)
            if owner not in tables or (owner is None and number in self._free):
                continue  # its rows were deleted; one that a table refers to is not free, the list is damaged
            page = self._pages.read(number)
            start = _FILE_HEADER if number == 1 else 0
            kind = page[start] if len(page) >= start + 8 else 0
            if kind == _LEAF_TABLE:
                yield from self._rows(page, start, owner, has_rowid=True)
            elif kind == _LEAF_INDEX and (owner is not None or page[start + 4] <= _FEW_ROWS):
                yield from self._rows(page, start, owner, has_rowid=False)
            elif owner is not None and kind != _INTERIOR_TABLE:
                self.unreadable += 1

    def _find_owners(self) -> dict[int, str]:
        """Return the table of each page that is reached from the root of one."""
        owners: dict[int, str] = {}
        _walk(self._pages, 1, _SCHEMA, owners)
        for number in list(owners):
            start = _FILE_HEADER if number == 1 else 0
            for row in self._rows(self._pages.read(number), start, _SCHEMA, has_rowid=True):
                match row.values:
                    case ["table", str(name), _, int(root), *_]:
                        _walk(self._pages, root, name, owners)
        self.unreadable = 0
        return owners

    def _rows(self, page: bytes, start: int, table: str | None, *, has_rowid: bool) -> Iterator[Row]:
        if len(page) < start + 8 or page[start] not in (_LEAF_TABLE, _LEAF_INDEX):
            return
        cells = int.from_bytes(page[start + 3 : start + 5])
        rows: list[Row] = []
        for at in range(start + 8, min(start + 8 + 2 * cells, len(page) - 1), 2):
            try:
                rows.append(
                    _read_cell(self._pages, page, int.from_bytes(page[at : at + 2]), table, has_rowid=has_rowid)
                )
            except (IndexError, ValueError, struct.error, OverflowError):
                self.unreadable += has_rowid and table is not None
        growing = _longest_growing(rows) if has_rowid else rows
        self.unreadable += (len(rows) - len(growing)) * (table is not None)
        yield from growing


def _longest_growing(rows: list[Row]) -> list[Row]:
    """Return as many rows as have growing ids: as all of a page have them, one that does not is the one damaged.

    By patience sorting: https://en.wikipedia.org/wiki/Longest_increasing_subsequence.
    """
    ends: list[int] = []  # the least id in which a sequence of each length ends
    places: list[int] = []  # of these in rows
    before: list[int] = []  # by place: that of the row before it in its sequence
    for place, row in enumerate(rows):
        length = bisect_left(ends, row.id)
        before.append(places[length - 1] if length else -1)
        ends[length : length + 1], places[length : length + 1] = [row.id], [place]
    found: list[Row] = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(rows[place])
        place = before[place]
    return found[::-1]


def _noted_page_size(header: bytes) -> int:
    noted = int.from_bytes(header[16:18])
    size = 65536 if noted == 1 else noted
    return size if size in _PAGE_SIZES else USUAL_PAGE_SIZE


class _Pages:
    """Reads pages by number, from the log first."""

    def __init__(self, descriptor: int, size: int, log: Mapping[int, bytes], count: int) -> None:
        self._descriptor = descriptor
        self.size = size
        self._log = log
        self.count = count

    def read(self, number: int) -> bytes:
        """Return a page; fewer bytes, or none, where the file is cut off or the disk cannot read it."""
        if number in self._log:
            return self._log[number]
        if not 1 <= number <= self.count:
            return b""
        try:
            return os.pread(self._descriptor, self.size, (number - 1) * self.size)
        except OSError:
            return b""


def _walk(pages: _Pages, root: int, table: str, owners: dict[int, str]) -> None:
    """Note the pages of a table's tree, as far as it can be followed."""
    ahead = [root]
    while ahead:
        number = ahead.pop()
        if number in owners or not 1 <= number <= pages.count:
            continue
        owners[number] = table
        page = pages.read(number)
        start = _FILE_HEADER if number == 1 else 0
        if len(page) < start + 12 or page[start] != _INTERIOR_TABLE:
            continue
        cells = int.from_bytes(page[start + 3 : start + 5])
        ahead.append(int.from_bytes(page[start + 8 : start + 12]))
        for at in range(start + 12, min(start + 12 + 2 * cells, len(page) - 1), 2):
            cell = int.from_bytes(page[at : at + 2])
            ahead.append(int.from_bytes(page[cell : cell + 4]))


def _free_pages(pages: _Pages) -> set[int]:
    """Return the pages that are in use no longer, as far as their list can be followed."""
    free: set[int] = set()
    trunk = int.from_bytes(pages.read(1)[32:36])
    while 1 < trunk <= pages.count and trunk not in free:
        free.add(trunk)
        page = pages.read(trunk)
        leaves = min(int.from_bytes(page[4:8]), pages.size // 4 - 2)
        free.update(int.from_bytes(page[8 + 4 * at : 12 + 4 * at]) for at in range(leaves))
        trunk = int.from_bytes(page[:4])
    return free


def _read_cell(pages: _Pages, page: bytes, at: int, table: str | None, *, has_rowid: bool) -> Row:
    """Read the row that begins at an offset of a leaf page. Raise IndexError, ValueError where it is none."""
    size, at = _read_varint(page, at)
    row_id = 0
    if has_rowid:
        row_id, at = _read_varint(page, at)
        if row_id >= 1 << 63:
            raise ValueError("a negative rowid")
    if not 0 < size <= _MOST_PAYLOAD:
        raise ValueError("no size of a row")
    usable = pages.size
    most = usable - 35 if has_rowid else (usable - 12) * 64 // 255 - 23
    if size <= most:
        payload = page[at : at + size]
    else:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
        payload = page[at : at + local] + _read_overflow(pages, page[at + local : at + local + 4], size - local)
    if len(payload) != size:
        raise ValueError("cut off")
    return Row(table, row_id, _read_record(payload))


def _read_overflow(pages: _Pages, pointer: bytes, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        page = pages.read(int.from_bytes(pointer))
        if len(page) < pages.size:
            raise ValueError("the rest of a row is missing")
        parts.append(page[4 : 4 + size])
        size -= len(parts[-1])
        pointer = page[:4]
    return b"".join(parts)


def _read_record(payload: bytes) -> list[Value]:
    end, at = _read_varint(payload, 0)
    body, values = end, list[Value]()
    if end > len(payload):
        raise ValueError("no header of a row")
    while at < end:
        kind, at = _read_varint(payload, at)
        value, body = _read_value(payload, kind, body)
        values.append(value)
    if body != len(payload) or at != end:
        raise ValueError("the columns do not fill the row")
    return values


def _read_value(payload: bytes, kind: int, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind <= 6:
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], signed=True), end
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind in (8, 9):
        return kind - 8, at
    if kind < 12:
        raise ValueError("no type of a column")
    end = at + (kind - 12) // 2
    data = payload[at:end]
    if len(data) != end - at:
        raise ValueError("cut off")
    if kind % 2:
        try:
            return data.decode(), end
        except UnicodeDecodeError:
            return data, end
    return data, end


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of one to nine bytes; return it, and where it ends."""
    value = 0
    for end in range(at, at + 8):
        byte = data[end]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, end + 1
    return value << 8 | data[at + 8], at + 9
