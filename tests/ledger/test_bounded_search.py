"""What no index finds is searched and counted, so many rows at a time as a request may take."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from dogid.ledger import bounded_search
from dogid.ledger.bounded_search import BoundedSearch, Stopwatch, count_results
from dogid.ledger.database import open_for_reading
from dogid.ledger.queries import ResultFilter, list_results
from dogid.ledger.reading_connection import ReadingConnection
from dogid.ledger.review_writer import say_label, say_verdict
from dogid.result_document import is_unsure
from tests.ledger.ledger_folder import Inbox, add_classified

_PHOTOS = 12


@pytest.fixture
def db(inbox: Inbox) -> Iterator[ReadingConnection]:
    """A ledger in which every photo is a cat with score 1, but for every fourth, which has 0.25."""
    for number in range(_PHOTOS):
        add_classified(inbox, f"{number}.jpg")
    inbox.ledger.review([1], say_label("wolf", "anna"))
    scores = """UPDATE photo SET score = 0.25, scores = '{"cat": 0.25}' WHERE id % 4 = 1"""
    inbox.ledger.connection.db.execute(scores)
    with closing(open_for_reading(inbox.state)) as db:
        db.thresholds = {"cat": 0.5, "wolf": 0.9}
        yield db


def read_all(db: ReadingConnection, wanted: ResultFilter) -> list[int]:
    """Ids on all pages, one after the other."""
    found = list[int]()
    before: int | None = None
    while True:
        search = BoundedSearch(db, replace(wanted, before=before))
        found += [result["id"] for result in search]
        if search.next_before is None:
            return found
        before = search.next_before


@pytest.mark.parametrize("rows", [1, 3, 5000])
def test_pages_hold_all_unsure_answers_once(db: ReadingConnection, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_search, "_FIRST_ROWS", rows)
    monkeypatch.setattr(bounded_search, "_SECONDS", 0)  # each page ends after the first rows

    for wanted in (ResultFilter(2, unsure=True), ResultFilter(50, unsure=True)):
        assert read_all(db, wanted) == [9, 5, 1]
        assert read_all(db, replace(wanted, unsure=False)) == [12, 11, 10, 8, 7, 6, 4, 3, 2]
        assert read_all(db, replace(wanted, label="cat")) == [9, 5, 1]
        assert read_all(db, replace(wanted, label="wolf")) == [1]
    assert [result["id"] for result in list_results(db, ResultFilter(2, unsure=True))] == [9, 5]
    db.thresholds = {"cat": 0.1}  # as after a reload
    assert read_all(db, ResultFilter(unsure=True)) == []
    assert len(read_all(db, ResultFilter(unsure=False))) == _PHOTOS


def test_what_a_person_is_unsure_of_is_found_as_unsure(db: ReadingConnection, inbox: Inbox) -> None:
    inbox.ledger.review([2, 3], say_verdict("unsure", "anna"))
    inbox.ledger.review([3], say_verdict("withdrawn", "anna"))
    inbox.ledger.review([5], say_verdict("unsure", "anna"))

    assert read_all(db, ResultFilter(2, unsure=True)) == [9, 5, 2, 1]
    assert read_all(db, ResultFilter(unsure=False)) == [12, 11, 10, 8, 7, 6, 4, 3]
    db.thresholds = {}
    assert read_all(db, ResultFilter(unsure=True)) == [5, 2]
    unsure = {result["id"] for result in list_results(db, ResultFilter()) if is_unsure(result)}
    assert unsure == {5, 2}


@pytest.mark.parametrize("rows", [1, 3, 5000])
def test_search_upwards_finds_the_nearest_first(
    db: ReadingConnection, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_search, "_FIRST_ROWS", rows)

    for wanted, expected in (
        (ResultFilter(2, after=0), [1, 2]),
        (ResultFilter(2, after=1, unsure=True), [5, 9]),
        (ResultFilter(2, after=0, from_id=6, before=10, unsure=True), [9]),
        (ResultFilter(9, after=3, name="1"), [11, 12]),
        (ResultFilter(1, after=12), []),
    ):
        assert [result["id"] for result in BoundedSearch(db, wanted)] == expected


def test_counts_are_bounded_by_number_and_time(db: ReadingConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(wanted: ResultFilter, most: int, seconds: float = 60) -> tuple[int, bool]:
        found = count_results(db, wanted, most, Stopwatch(seconds, seconds))
        return found.number, found.is_all

    assert count(ResultFilter(unsure=True), 3) == (3, True)
    assert count(ResultFilter(unsure=True), 2) == (2, False)
    assert count(ResultFilter(label="wolf"), 9) == (1, True)
    assert count(ResultFilter(label="cat", unsure=False, default_threshold=0.9), 99) == (9, True)
    assert count(ResultFilter(name=".JPG"), 99) == (_PHOTOS, True)
    assert count(ResultFilter(name="_.jpg"), 99) == (0, True)  # no pattern
    monkeypatch.setattr(bounded_search, "_STEPS", 1)
    number, is_all = count(ResultFilter(name=".jpg"), 99, 0)
    assert number < _PHOTOS
    assert not is_all
    assert len(list_results(db, ResultFilter())) == _PHOTOS  # the connection counts on
