"""A damaged row costs that row: everything else is read, and the row is repaired or classified again."""

import sqlite3
from collections.abc import Callable

import pytest

from dogid.ledger import queries
from dogid.ledger.counters import count_damaged_rows
from dogid.ledger.damage import DamagedRowError
from dogid.ledger.histories import read_history_page
from dogid.ledger.review_writer import say_label
from dogid.ledger.reviews import iterate_unreviewed
from dogid.ledger.schema import REPLACED
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put

Damage = Callable[[sqlite3.Connection], None]
_NOT_UTF8 = "CAST(x'ff7b' AS TEXT)"


@pytest.fixture
def three(inbox: Inbox) -> Inbox:
    """An inbox with three classified photos, of ids 1 to 3; another model is known besides."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        put(inbox.folder / name, name.encode())
        inbox.observe(name)
        inbox.classify(inbox.job())
    return inbox


def damage(inbox: Inbox, column: str, value: str) -> None:
    """Give a column of the second row a value that no dogid writes."""
    db = inbox.ledger.connection.db
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute(f"UPDATE photo SET {column} = {value} WHERE id = 2")
    db.execute("PRAGMA ignore_check_constraints = OFF")


def repair(inbox: Inbox) -> int:
    assert inbox.ledger.repairer.repair_rows(0)[0] == 3
    assert inbox.ledger.repairer.repair_rows(3) == (None, 0)
    return count_damaged_rows(inbox.db)


@pytest.mark.parametrize(
    ("column", "value"),
    [("scores", _NOT_UTF8), ("scores", "'{\"cat'"), ("label", _NOT_UTF8), ("label", "'cbt'"), ("sha256", _NOT_UTF8)],
)
def test_damaged_row_is_left_out_of_lists(three: Inbox, column: str, value: str) -> None:
    damage(three, column, value)

    assert [result["id"] for result in queries.list_results(three.db, queries.ResultFilter())] == [3, 1]
    assert [result["id"] for result in queries.list_results(three.db, queries.ResultFilter(limit=2))] == [3, 1]
    assert [result["id"] for _, result in queries.list_results_since(three.db, 0, 10)] == [1, 3]
    assert [result["id"] for result in iterate_unreviewed(three.db, 2)] == [3, 1]
    assert queries.find_result(three.db, 2) is None
    assert read_history_page(three.db, 2).steps == []
    assert three.db.damaged_rows == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [("scores", "'{\"cat'"), ("scores", _NOT_UTF8), ("label", "'cbt'"), ("label", _NOT_UTF8)],
)
def test_result_that_is_certain_is_repaired(three: Inbox, column: str, value: str) -> None:
    before = queries.find_result(three.db, 2)
    damage(three, column, value)

    assert repair(three) == 1
    assert queries.find_result(three.db, 2) == before


@pytest.mark.parametrize(("column", "value"), [("sha256", "'not hex'"), ("score", "0.5"), ("state", "'failee'")])
def test_photo_of_a_damaged_row_is_classified_again(three: Inbox, column: str, value: str) -> None:
    damage(three, column, value)
    if column == "state":
        damage(three, "scores", "NULL")

    assert repair(three) == 1
    assert three.states() == {"a.jpg": "classified", "b.jpg": "pending", "c.jpg": "classified"}
    three.classify(three.job())
    assert three.states()["b.jpg"] == "classified"
    assert queries.count_by_status(three.db) == {"pending": 0, "classified": 3, "failed": 0}


def test_damaged_result_of_a_departed_photo_goes(three: Inbox) -> None:
    three.ledger.note_left([b"b.jpg"])
    damage(three, "score", "0.5")

    assert repair(three) == 1
    assert three.states() == {"a.jpg": "classified", "c.jpg": "classified"}


def test_sound_rows_are_not_changed(three: Inbox) -> None:
    three.overwrite("a.jpg", "other")
    three.ledger.note_left([b"c.jpg"])
    put(three.folder / "d.jpg", b"d")
    three.observe("d.jpg")
    before = three.db.execute("SELECT * FROM photo").fetchall()

    assert three.ledger.repairer.repair_rows(0)[1] == 0
    assert [tuple(row) for row in three.db.execute("SELECT * FROM photo")] == [tuple(row) for row in before]


def test_writer_goes_on_after_meeting_a_damaged_row(three: Inbox) -> None:
    damage(three, "sha256", _NOT_UTF8)
    with pytest.raises(sqlite3.OperationalError) as met:
        three.observe("a.jpg", "b.jpg")

    assert three.ledger.repairer.repair_after(met.value)
    assert not three.ledger.repairer.is_damaged
    three.observe("a.jpg", "b.jpg")


def test_broken_constraint_is_repaired_a_few_times_only(three: Inbox) -> None:
    error = sqlite3.IntegrityError("UNIQUE constraint failed")

    assert all(three.ledger.repairer.repair_after(error) for _ in range(5))
    assert not three.ledger.repairer.repair_after(error)
    assert three.ledger.repairer.is_damaged


def test_counts_that_are_damaged_are_counted_anew(three: Inbox) -> None:
    three.ledger.connection.db.execute("UPDATE tally SET state = 'clbssified' WHERE state = 'classified'")
    with pytest.raises(DamagedRowError):
        queries.count_by_status(three.db)

    assert three.ledger.repairer.repair_other_tables() == 1
    assert queries.count_by_status(three.db) == {"pending": 0, "classified": 3, "failed": 0}


def test_model_with_a_damaged_name_costs_no_result(three: Inbox) -> None:
    three.ledger.connection.db.execute(f"UPDATE model SET name = {_NOT_UTF8}")
    assert queries.list_results(three.db, queries.ResultFilter()) == []

    assert three.ledger.repairer.repair_other_tables() == 1
    assert len(queries.list_results(three.db, queries.ResultFilter())) == 3


def test_damaged_events_are_removed_page_by_page(three: Inbox) -> None:
    db = three.ledger.connection.db
    db.executemany("INSERT INTO event VALUES (?, 1, 1, 'left', 'it left')", [(number,) for number in range(1, 1201)])
    db.execute(f"UPDATE event SET detail = {_NOT_UTF8} WHERE id IN (700, 1200)")
    before = three.ledger.changes

    pages = [three.ledger.repairer.repair_table("event", after) for after in (0, 500, 1000, 1200)]

    assert pages == [(500, 0), (1000, 1), (1200, 1), (None, 0)]
    assert three.ledger.changes == before + 2  # a page that is sound is not written
    assert three.db.execute("SELECT count(*) FROM event").fetchone()[0] == 1198


def history(inbox: Inbox) -> list[str]:
    """What happened to the second photo, oldest first."""
    return [step["event"] for step in reversed(read_history_page(inbox.db, 2).steps)]


def test_damaged_word_costs_only_the_words_of_a_history(three: Inbox) -> None:
    for label in ("dog", "wolf"):
        three.clock.advance(1000)
        three.ledger.review([2], say_label(label, "anna"))
    assert history(three) == ["seen", "classified", "reviewed", "reviewed"]
    three.ledger.connection.db.execute(f"UPDATE review SET reviewer = {_NOT_UTF8} WHERE label = 'dog'")

    assert history(three) == ["seen", "classified"]
    assert three.db.damaged_rows == 1


def test_damaged_event_costs_only_the_events_of_a_history(three: Inbox) -> None:
    three.clock.advance(1000)
    three.ledger.note_left([b"b.jpg"])
    assert history(three) == ["seen", "classified", "left"]
    three.ledger.connection.db.execute(f"UPDATE event SET detail = {_NOT_UTF8} WHERE photo_id = 2")

    assert history(three) == ["seen", "classified"]
    assert three.db.damaged_rows == 1


def test_damaged_former_answer_leaves_that_there_was_one(three: Inbox) -> None:
    event = "INSERT INTO event (photo_id, at, kind, detail) VALUES (2, 1 << 42, ?, ?)"
    three.ledger.connection.db.execute(event, (REPLACED, '{"label": "do'))

    assert history(three) == ["seen", "classified", "replayed"]
