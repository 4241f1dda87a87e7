"""Rows are read from the pages of a database as SQLite reads them, and a damaged one costs only itself."""

import sqlite3
from pathlib import Path

import pytest

from dogid.ledger.page_reader import DatabaseFile, Row

MARK = b"damage me"
VALUES: list[float | str | bytes | None] = [
    None, 0, 1, -1, 127, -128, 1 << 15, -(1 << 23), 1 << 31, -(1 << 47), (1 << 63) - 1, 0.1, "", "é🐕", b"", b"\xff",
    "long " * 3_000, b"\0\xfe" * 7_000,
]  # fmt: skip

COUNTERS = [("long", "long " * 3_000), ("reserved", 5_000), ("seq", 1 << 40)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database is made."""
    return tmp_path / "ledger.db"


def fill(path: Path, texts: list[tuple[int, object]], page_size: int = 4096) -> None:
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA page_size = {page_size}")
    db.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, content)")
    db.execute("CREATE TABLE counter (name TEXT PRIMARY KEY, content) WITHOUT ROWID")
    db.executemany("INSERT INTO note VALUES (?, ?)", texts)
    db.executemany("INSERT INTO counter VALUES (?, ?)", COUNTERS)
    db.commit()
    db.close()


def read(path: Path) -> tuple[list[Row], int]:
    """Rows of the table, and how many could not be read."""
    with DatabaseFile(path) as file:
        return list(file.read_rows("note")), file.unreadable


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_values_of_all_types_and_lengths_are_read(path: Path, page_size: int) -> None:
    written: list[tuple[int, object]] = [(key, VALUES[key % len(VALUES)]) for key in range(1, 300)]
    fill(path, written, page_size)
    with DatabaseFile(path) as file:
        notes = sorted((row.id, row.values[1]) for row in file.read_rows("note"))
        counters = [tuple(row.values) for row in file.read_rows("counter")]

    assert file.page_size == page_size
    assert notes == written
    assert counters == COUNTERS
    assert file.unreadable == 0


@pytest.mark.parametrize(
    ("place", "byte"),
    [
        (-1, 10),  # a type that no column has
        (-1, 127),  # a text that is longer than the row
        (-1, 13),  # one that is shorter
        (-3, 100),  # columns that begin after the row
        (-5, 0),  # a row without bytes
        (-5, 127),  # one that goes beyond its page
    ],
)
def test_damaged_row_costs_only_itself(path: Path, place: int, byte: int) -> None:
    fill(path, [(7, MARK.decode()), (8, "left"), (9, "left")])
    data = bytearray(path.read_bytes())
    data[data.index(MARK) + place] = byte  # of: bytes, id, bytes of the types, type of the id, type of the text
    path.write_bytes(data)

    assert read(path) == ([Row("note", 8, [None, "left"]), Row("note", 9, [None, "left"])], 1)


def test_id_that_no_row_of_dogid_has_is_damage(path: Path) -> None:
    fill(path, [(-6, "negative"), (-5, "negative"), (5, "left")])

    assert read(path) == ([Row("note", 5, [None, "left"])], 2)


def test_text_that_is_not_utf8_is_read_as_bytes(path: Path) -> None:
    fill(path, [(7, MARK.decode())])
    path.write_bytes(path.read_bytes().replace(MARK, b"\xff" + MARK[1:]))

    assert read(path) == ([Row("note", 7, [None, b"\xff" + MARK[1:]])], 0)


def test_file_that_is_cut_off_keeps_the_rows_before(path: Path) -> None:
    fill(path, [(7, "left")])
    db = sqlite3.connect(path)
    db.execute("INSERT INTO note VALUES (8, ?)", ("long " * 3_000,))
    db.commit()
    db.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4096)

    assert read(path) == ([Row("note", 7, [None, "left"])], 1)
