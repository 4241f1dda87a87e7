"""An index that disagrees with its table is made anew: no photo is shown twice, or by a damaged name."""

from hashlib import sha256
from typing import Any

import pytest

from dogid.errors import UsageError
from dogid.ledger import queries
from dogid.ledger.counters import count_damaged_rows
from dogid.ledger.damage import DamagedIndexError, DamagedRowError
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.ledger.review_writer import say_label
from tests.ledger.ledger_folder import Inbox, add_classified
from tests.support.photos import put

_PAGE = 4096


@pytest.fixture
def two(inbox: Inbox) -> Inbox:
    """An inbox with two classified photos, of ids 1 and 2; both are in the database file."""
    for name in ("first.jpg", "second.jpg"):
        add_classified(inbox, name)
    inbox.reopen()
    return inbox


def flip(inbox: Inbox, name: str, old: bytes, new: bytes) -> None:
    """Damage a text in the one page of a table or index, as bits flip on a disk, while the ledger is closed."""
    (page,) = inbox.db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    inbox.close()
    with (inbox.state / FILE_NAME).open("r+b") as file:
        file.seek((page - 1) * _PAGE)
        damaged = file.read(_PAGE).replace(old, new, 1)
        file.seek((page - 1) * _PAGE)
        assert file.write(damaged) == _PAGE
    inbox.open()


def names(inbox: Inbox) -> list[str]:
    return [result["file"] for result in queries.list_results(inbox.db, queries.ResultFilter())]


def reviewed(inbox: Inbox) -> Any:
    """The word on the first photo, as it is shown."""
    found = queries.find_result(inbox.db, 1)
    return found and found["reviewed"]


def observe_again(inbox: Inbox) -> None:
    """Compare the inbox with the ledger, as the daemon does until no damage is met."""
    with pytest.raises(DamagedIndexError) as met:
        inbox.observe("first.jpg", "second.jpg")
    assert inbox.ledger.repairer.repair_after(met.value)
    assert inbox.observe("first.jpg", "second.jpg") == 0


def is_consistent(inbox: Inbox) -> bool:
    return bool(inbox.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def test_photo_missing_in_the_index_is_not_made_twice(two: Inbox) -> None:
    flip(two, "photo_current", b"first.jpg", b"fhrst.jpg")

    observe_again(two)

    assert names(two) == ["second.jpg", "first.jpg"]
    assert is_consistent(two)
    assert not two.ledger.repairer.is_damaged


def test_damaged_path_is_that_of_its_file_again(two: Inbox) -> None:
    flip(two, "photo", b"first.jpg", b"fhrst.jpg")

    observe_again(two)

    assert names(two) == ["second.jpg", "first.jpg"]
    assert is_consistent(two)
    assert count_damaged_rows(two.db) == 1


def test_word_hidden_by_an_index_is_shown_again(two: Inbox) -> None:
    two.ledger.review([1], say_label("wolf", "anna"))
    digest = sha256(b"first.jpg").hexdigest().encode()
    flip(two, "review_content", digest, b"x" + digest[1:])
    assert reviewed(two) is None

    two.ledger.repairer.rebuild_indexes()

    assert reviewed(two)["label"] == "wolf"
    assert is_consistent(two)


def test_path_of_a_departed_photo_is_not_guessed(two: Inbox) -> None:
    (two.folder / "first.jpg").unlink()
    two.ledger.note_left([b"first.jpg"])
    flip(two, "photo_current", b"first.jpg", b"fhrst.jpg")

    two.ledger.repairer.rebuild_indexes()

    assert names(two) == ["second.jpg", "first.jpg"]
    assert is_consistent(two)


def test_second_row_of_a_photo_supersedes_the_first(two: Inbox) -> None:
    flip(two, "photo_current", b"first.jpg", b"fhrst.jpg")
    (two.folder / "first.jpg").rename(two.folder / "away.jpg")
    put(two.folder / "first.jpg", b"another photo")  # no index leads from this file to the row
    assert two.observe("first.jpg") == 1
    assert names(two).count("first.jpg") == 2

    two.ledger.repairer.rebuild_indexes()

    assert names(two) == ["first.jpg", "second.jpg"]
    assert is_consistent(two)
    former = queries.find_result(two.db, 1)
    assert former is not None
    assert former["status"] == "classified"
    assert not former["present"]


def test_number_that_two_results_share_is_given_anew(two: Inbox) -> None:
    two.ledger.connection.db.execute("DROP INDEX photo_seq")
    two.ledger.connection.db.execute("UPDATE photo SET seq = 1")

    two.ledger.repairer.rebuild_indexes()

    assert [row["seq"] for row in two.db.execute("SELECT seq FROM photo ORDER BY id")] == [1, 3]
    assert queries.read_newest_seq(two.db) == 3


def test_row_is_repaired_that_an_index_lacks(two: Inbox) -> None:
    flip(two, "photo", b"cat", b"cau")  # the label of one: to change it is to remove "cau" from an index, too

    assert two.ledger.repairer.repair_after(DamagedRowError())
    assert {result["label"] for result in queries.list_results(two.db, queries.ResultFilter())} == {"cat"}
    assert is_consistent(two)


def test_counts_are_not_those_of_a_damaged_index(two: Inbox) -> None:
    flip(two, "photo_state", b"classified", b"clasrified")

    assert two.ledger.repairer.repair_other_tables() == 0
    assert queries.count_by_status(two.db)["classified"] == 2


def test_statement_that_is_no_text_counts_as_damage(two: Inbox) -> None:
    two.close()
    path = two.state / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"AFTER INSERT", b"AFTER INSER\xce"))

    with pytest.raises(UsageError, match="the ledger is damaged"):
        open_for_reading(two.state)
    two.open()

    assert two.ledger.moved_aside is not None
    assert names(two) == ["second.jpg", "first.jpg"]


def test_value_of_another_type_in_an_index_is_mended(two: Inbox) -> None:
    as_blob, as_text = b"\x1e\x09first.jpg", b"\x1f\x09first.jpg"  # the column's type, the id's, the path
    flip(two, "photo_current", as_blob, as_text)
    assert not is_consistent(two)

    assert two.ledger.repairer.repair_after(TypeError())  # of a query that reads the index alone
    assert is_consistent(two)
