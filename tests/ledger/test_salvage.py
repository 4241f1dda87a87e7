"""What a damaged ledger still holds goes over into a new one."""

import sqlite3
from pathlib import Path

import pytest

from dogid.ledger import queries
from dogid.ledger.database import FILE_NAME, open_for_writing
from dogid.ledger.histories import read_history_page
from dogid.ledger.page_reader import DatabaseFile
from dogid.ledger.salvage import salvage
from dogid.ledger.schema import MIGRATIONS
from tests.ledger.ledger_folder import Inbox, insert_versions
from tests.support.photos import put

PAGE = 4096
LEAF = 13


def flip(path: Path, *places: int, bits: int = 0xFF) -> None:
    """Damage bytes of a file, from its end where a place is negative."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[place] ^= bits
    path.write_bytes(data)


def table(db: sqlite3.Connection, name: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute(f"SELECT * FROM {name} ORDER BY 1")]


def test_whole_ledger_is_salvaged_row_by_row(inbox: Inbox, tmp_path: Path) -> None:
    for number in range(40):
        put(inbox.folder / f"{number}.jpg", b"%d" % number)
        inbox.observe(f"{number}.jpg")
        inbox.classify(inbox.job())
    put(inbox.folder / "7.jpg", b"other")
    inbox.overwrite("7.jpg", "another")
    (tmp_path / "new").mkdir()
    new = open_for_writing(tmp_path / "new").connection

    found = salvage(inbox.state / FILE_NAME, new)  # most of it is in the write-ahead log

    assert (found.results, found.lost) == (40, 0)
    for name in ("photo", "model", "event", "tally"):
        assert table(new, name) == table(inbox.db, name)
    new.close()


@pytest.mark.parametrize("place", [0, 18, 19, 20, 21, 28, 44, 47, 56, 60, 62, 63, 100])
def test_ledger_with_damaged_header_is_opened(inbox: Inbox, place: int) -> None:
    put(inbox.folder / "left.jpg", b"left")
    inbox.observe("left.jpg")
    inbox.classify(inbox.job())
    (before,) = queries.list_results(inbox.db, queries.ResultFilter())
    inbox.close()
    flip(inbox.state / FILE_NAME, place)

    inbox.open()

    assert queries.list_results(inbox.db, queries.ResultFilter()) == [before]
    put(inbox.folder / "new.jpg", b"new")
    inbox.observe("new.jpg")
    assert inbox.job().id > before["id"]


@pytest.mark.parametrize("version", [0, 3, 999_999])
def test_foreign_tables_are_moved_aside(tmp_path: Path, version: int) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY, caption TEXT)")
        db.execute("INSERT INTO photo (caption) VALUES ('mine')")
        db.execute(f"PRAGMA user_version = {version}")
    db.close()

    opened = open_for_writing(tmp_path)

    assert opened.moved_aside is not None
    with sqlite3.connect(opened.moved_aside) as db:
        assert db.execute("SELECT caption FROM photo").fetchall() == [("mine",)]
    db.close()
    opened.connection.close()


def test_page_of_rows_costs_only_its_rows(inbox: Inbox) -> None:
    insert_versions(inbox.ledger, 300)
    inbox.close()
    path = inbox.state / FILE_NAME
    data = path.read_bytes()
    with DatabaseFile(path) as file:
        rows = [row.id for row in file.read_rows("photo")]
        pages = [page for page, owner in file._owners.items() if owner == "photo"]
    number = next(page for page in pages if data[(page - 1) * PAGE] == LEAF)
    with path.open("r+b") as damaged:
        damaged.seek((number - 1) * PAGE)
        damaged.write(b"\xa5" * PAGE)
    with DatabaseFile(path) as file:
        left = [row.id for row in file.read_rows("photo")]

    inbox.open()

    assert inbox.ledger.moved_aside is not None
    assert 0 < len(rows) - len(left) < 40
    assert [row[0] for row in inbox.db.execute("SELECT id FROM photo ORDER BY id")] == sorted(left)
    assert read_history_page(inbox.db, 300).steps


def test_rows_in_the_list_of_free_pages_are_kept(inbox: Inbox) -> None:
    for number in range(40):
        put(inbox.folder / f"{number}.jpg", b"%d" % number)
        inbox.observe(f"{number}.jpg")
        inbox.classify(inbox.job())
    inbox.close()
    path = inbox.state / FILE_NAME
    data = bytearray(path.read_bytes())
    starts = range(PAGE, len(data), PAGE)
    rows = next(at for at in starts if data[at] == LEAF and b"12.jpg" in data[at : at + PAGE])
    data[32:36] = (rows // PAGE + 1).to_bytes(4)  # the first page of the list
    path.write_bytes(data)

    inbox.open()

    assert len(queries.list_results(inbox.db, queries.ResultFilter())) == 40


def test_ids_and_sequence_numbers_go_on_after_salvage(inbox: Inbox) -> None:
    insert_versions(inbox.ledger, 300)
    inbox.close()
    path = inbox.state / FILE_NAME
    with sqlite3.connect(path) as db:
        db.execute("UPDATE counter SET value = 5000 WHERE name = 'reserved'")
        db.execute("UPDATE counter SET value = 7000 WHERE name = 'seq'")
    db.close()
    flip(path, 0)

    inbox.open()

    put(inbox.folder / "new.jpg", b"new")
    inbox.observe("new.jpg")
    assert inbox.job().id == 5001
    assert queries.read_newest_seq(inbox.db) == 7000


def test_salvage_that_was_interrupted_begins_again(inbox: Inbox) -> None:
    insert_versions(inbox.ledger, 30)
    inbox.close()
    path = inbox.state / FILE_NAME
    (inbox.state / f"{FILE_NAME}.new").write_bytes(b"half of a ledger")
    flip(path, 0)

    inbox.open()

    assert inbox.db.execute("SELECT count(*) FROM photo").fetchone()[0] == 30


def test_new_ledger_takes_its_place_after_an_interruption(inbox: Inbox) -> None:
    insert_versions(inbox.ledger, 30)
    inbox.close()
    path = inbox.state / FILE_NAME
    path.rename(inbox.state / f"{FILE_NAME}.new")  # the process ended after the damaged one was moved

    inbox.open()

    assert inbox.db.execute("SELECT count(*) FROM photo").fetchone()[0] == 30
    assert inbox.db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
