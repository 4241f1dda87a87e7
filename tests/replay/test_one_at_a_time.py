"""A replay is the only one in its state folder, keeps each model's answers apart, and follows no other model."""

import contextlib
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.commands.replay import _require_active
from dogid.errors import ConflictError
from dogid.ledger.database import open_for_changes, open_for_reading, open_for_writing
from dogid.ledger.outcomes import Timings
from dogid.ledger.replays import NewAnswer, OlderAnswer
from dogid.replay.answer_store import AnswerStore, StoredAnswer, replaying_alone
from dogid.replay.replay import LedgerApplier, Report
from dogid.settings import Settings
from dogid.shelf.open_model import choose_model
from dogid.shelf.pointer import Entry, Pointer, write_pointer
from tests.support.daemon import dogid


def test_answers_of_another_model_are_not_found(tmp_path: Path) -> None:
    one, other = AnswerStore(tmp_path, "one"), AnswerStore(tmp_path, "other")
    one.add("photo", StoredAnswer({"pug": 1.0}, Timings(1, 1, 2)))
    one.close()

    assert other.find("photo") is None
    other.close()


def test_second_replay_is_refused(tmp_path: Path) -> None:
    open_for_writing(tmp_path).connection.close()
    with replaying_alone(tmp_path):
        done = dogid("replay", "--state", str(tmp_path), "--inbox", str(tmp_path))

    assert done.returncode == 2
    assert "another replay is under way" in done.stderr


def test_nothing_is_replaced_once_another_model_is_active(tmp_path: Path) -> None:
    open_for_writing(tmp_path).connection.close()
    with contextlib.closing(open_for_changes(tmp_path)) as db, db:
        db.execute("INSERT INTO model (id, name, sha256, labels) VALUES (1, 'older', 'ab', '[]')")

    opened = choose_model(Settings(state=tmp_path))
    _require_active(tmp_path, opened.found)
    applier = LedgerApplier(tmp_path, opened.model, Clock(), lambda: _require_active(tmp_path, opened.found))
    applier.add(NewAnswer(OlderAnswer(1, b"a.jpg", "cd", 1, "pug", 1.0, 1, "older", None), {"poodle": 1.0}, None))
    write_pointer(tmp_path, Pointer(Entry("other.tflite", "ef", "2026-01-01T00:00:00Z")))
    with pytest.raises(ConflictError, match="another model has become active"):
        applier.flush()
    applier.close()

    with contextlib.closing(open_for_reading(tmp_path)) as db:
        assert [row[0] for row in db.execute("SELECT name FROM model")] == ["older"]


def test_report_of_a_thousand_labels_counts_each_photo_once() -> None:
    report = Report(photos=100_000)
    for before in range(1000):
        for now in range(0, 1000, 10):
            report.transitions[str(before), str(now)] += 1

    labels = report.document()["labels"]

    assert list(labels) == sorted(labels)
    assert labels["10"] == {"before": 100, "now": 1000}
    assert labels["11"] == {"before": 100, "now": 0}
