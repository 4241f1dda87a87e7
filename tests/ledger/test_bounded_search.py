"""Unsure answers are found without an index, so many rows at a time as a request may take."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dogid.ledger import bounded_search
from dogid.ledger.bounded_search import BoundedSearch
from dogid.ledger.database import open_for_reading
from dogid.ledger.queries import ResultFilter, list_results
from dogid.ledger.reading_connection import ReadingConnection
from dogid.ledger.review_writer import say_label
from tests.ledger.ledger_folder import Inbox, add_classified

_PHOTOS = 12


@pytest.fixture
def db(tmp_path: Path) -> Iterator[ReadingConnection]:
    """A ledger in which every photo is a cat with score 1, but for every fourth, which has 0.25."""
    inbox = Inbox(tmp_path)
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
