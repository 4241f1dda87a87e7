"""Answers replaced by those of another model: only the ones that were read, and the former ones are never lost."""

from contextlib import closing
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.ledger.database import open_for_changes
from dogid.ledger.histories import all_pages
from dogid.ledger.models import register_model
from dogid.ledger.queries import MAX_ID, find_result
from dogid.ledger.replays import (
    NewAnswer,
    OlderAnswer,
    count_older_answers,
    list_older_answers,
    replace_answers,
)
from dogid.ledger.schema import MOST_EVENTS
from tests.ledger.ledger_folder import Inbox, add_classified, moved

NEW = "11"
"""SHA-256 of the other model."""


@pytest.fixture
def photos(tmp_path: Path) -> Inbox:
    folder = Inbox(tmp_path)
    for name in ("a", "b"):
        add_classified(folder, name)
    return folder


def older(inbox: Inbox) -> list[OlderAnswer]:
    return list_older_answers(inbox.db, NEW, before=MAX_ID, limit=10, network=None)


def replace(inbox: Inbox, answers: list[OlderAnswer], label: str) -> int:
    """Answer photos by the other model, in another connection, as a command does."""
    with closing(open_for_changes(inbox.state)) as db, db:
        model_id = register_model(db, "new.tflite", NEW, ("dog", "cat"))
        return replace_answers(db, [NewAnswer(answer, {label: 0.5}, None) for answer in answers], model_id, Clock())


def test_answers_that_changed_since_they_were_read_are_left(photos: Inbox) -> None:
    stale = older(photos)
    photos.overwrite("a", "another content")

    assert replace(photos, stale, "dog") == 1
    assert replace(photos, stale, "cat") == 0
    assert count_older_answers(photos.db, NEW) == 1
    kept, replaced = photos.db.execute("SELECT label, seq FROM photo WHERE state = 'classified' ORDER BY path")
    assert (kept["label"], replaced["label"]) == ("cat", "dog")
    assert replaced["seq"] > kept["seq"]
    photos.close()


def test_same_label_is_no_new_result_for_followers(photos: Inbox) -> None:
    before = [row["seq"] for row in photos.db.execute("SELECT seq FROM photo ORDER BY id")]

    assert replace(photos, older(photos), "cat") == 2
    assert [row["seq"] for row in photos.db.execute("SELECT seq FROM photo ORDER BY id")] == before
    assert older(photos) == []
    photos.close()


def test_former_answer_outlasts_all_other_events(photos: Inbox) -> None:
    replace(photos, older(photos), "dog")
    for number in range(MOST_EVENTS + 20):
        moved(photos, "a" if number == 0 else f"a{number - 1}", f"a{number}")
    (photo_id,) = photos.db.execute("SELECT id FROM photo WHERE path = ?", (f"a{number}".encode(),)).fetchone()

    steps = [step for page in all_pages(photos.db, photo_id) for step in page.steps]

    answers = [step["detail"] for step in steps if step["event"] == "classified"]
    assert answers == ["dog 0.500 by new.tflite", "cat 1.000 by m.tflite"]
    assert sum(step["event"] == "renamed" for step in steps) == MOST_EVENTS
    result = find_result(photos.db, photo_id)
    assert result is not None
    assert result["scores"] == {"dog": 0.5}
    photos.close()
