"""Figures of the last weeks by week, model and first folder: what is certain, unsure, corrected."""

import json

import pytest

from dogid.ledger import drift
from dogid.ledger.drift import Figures, read_drift
from dogid.ledger.review_writer import say_label, say_verdict
from tests.ledger.ledger_folder import Inbox, add

WEEK_MS = 7 * 24 * 3600 * 1000


def add_scored(inbox: Inbox, name: str, label: str, score: float) -> int:
    (inbox.folder / name).parent.mkdir(exist_ok=True)
    job = add(inbox, name)
    inbox.classify(job, label)
    inbox.ledger.connection.db.execute("UPDATE photo SET score = ? WHERE id = ?", (score, job.id))
    return job.id


def test_weeks_models_and_folders_have_their_own_figures(inbox: Inbox) -> None:
    old = add_scored(inbox, "gate/old.jpg", "cat", 0.9)
    inbox.ledger.review([old], say_label("dog", "me"))
    inbox.clock.advance(WEEK_MS + 1000)
    inbox.model_id = inbox.ledger.register_model("n.tflite", "01", ("cat", "other"))
    ids = [
        add_scored(inbox, "gate/cat.jpg", "cat", 0.6),
        add_scored(inbox, "gate/other.jpg", "other", 0.8),
        add_scored(inbox, "plain.jpg", "cat", 1.0),
    ]
    inbox.ledger.review(ids[:1], say_label("dog", "me"))
    inbox.ledger.review(ids[:1], say_verdict("withdrawn", "me"))  # nothing stands
    inbox.ledger.review(ids[1:], say_verdict("confirmed", "me"))

    found = read_drift(inbox.db, inbox.clock.wall_ms(), {"cat": 0.7})
    document = found.describe()

    this, before = found.weeks[:2]
    assert this.figures == Figures(photos=3, total_score=2.4, other=1, unsure=1, reviewed=2, corrected=0)
    assert before.figures == Figures(photos=1, total_score=0.9, reviewed=1, corrected=1)
    assert this.folders["gate"] == Figures(photos=2, total_score=1.4, other=1, unsure=1, reviewed=1)
    assert this.folders[""] == Figures(photos=1, total_score=1.0, reviewed=1)
    assert (list(this.models), list(before.models)) == (["n.tflite"], ["m.tflite"])
    assert [(folder, recent.photos, past.photos) for folder, recent, past in found.list_folders()] == [
        ("gate", 2, 1),
        ("", 1, 0),
    ]
    assert len(document["weeks"]) == 2  # type: ignore[arg-type]
    assert json.dumps(document)


def test_weeks_have_a_largest_number_of_photos(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "PHOTOS_A_WEEK", 2)
    for name, score in (("a", 0.1), ("b", 0.5), ("c", 0.7)):
        add_scored(inbox, name, "cat", score)

    (week, *_) = read_drift(inbox.db, inbox.clock.wall_ms(), {}).weeks

    assert week.figures.photos == 2
    assert week.figures.mean_score == pytest.approx(0.6)
