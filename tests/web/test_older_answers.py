"""Older answers are counted by one request at a time, while others show the count before."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.ledger.database import open_for_changes, open_for_reading, open_for_writing
from dogid.web import older_answers
from dogid.web.older_answers import OlderAnswers


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    open_for_writing(tmp_path).connection.close()
    with contextlib.closing(open_for_changes(tmp_path)) as changes, changes:
        changes.execute("INSERT INTO model (id, name, sha256, labels) VALUES (1, 'older', 'ab', '[]')")
    with contextlib.closing(open_for_reading(tmp_path)) as opened:
        yield opened


@pytest.mark.timeout(20)
def test_request_does_not_wait_while_another_counts(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(older_answers, "_NONE_SECONDS", -1.0)  # a count is never fresh
    counting, may_end, answers = threading.Event(), threading.Event(), OlderAnswers()
    assert answers.count(db, "present") == 0

    def count_slowly(*_: object) -> int:
        counting.set()
        may_end.wait()
        return 7

    monkeypatch.setattr(older_answers, "count_older_answers", count_slowly)
    other = threading.Thread(target=answers.count, args=(db, "present"), daemon=True)
    other.start()
    counting.wait()
    assert answers.count(db, "present") == 0
    may_end.set()
    other.join()
    assert answers.count(db, "present") == 7
