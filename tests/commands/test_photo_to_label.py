"""Which photo a person means: the one whose content they see."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.commands.photo_to_label import check_unchanged, find_photo_to_label
from dogid.commands.reading_state import add_arguments, find_inbox
from dogid.errors import DogidError
from tests.ledger.ledger_folder import Inbox, add_classified, moved
from tests.support.photos import put


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()


def test_photo_that_changes_before_its_word_is_written_is_refused(inbox: Inbox) -> None:
    add_classified(inbox, "a")
    found = find_photo_to_label(inbox.db, "a", inbox.folder)
    check_unchanged(inbox.db, found)
    inbox.overwrite("a", "other")

    with pytest.raises(DogidError, match="changed just now"):
        check_unchanged(inbox.db, found)


def test_former_name_stands_for_a_photo_until_a_file_has_it(inbox: Inbox) -> None:
    photo = add_classified(inbox, "a")
    moved(inbox, "a", "b")
    assert find_photo_to_label(inbox.db, "a", inbox.folder).id == photo
    put(inbox.folder / "a", b"new")

    with pytest.raises(DogidError, match="not in the ledger"):
        find_photo_to_label(inbox.db, "a", inbox.folder)


def test_hint_at_a_photo_in_the_inbox_needs_one(inbox: Inbox, tmp_path: Path) -> None:
    outside = put(tmp_path / "elsewhere" / "a", b"another")
    with pytest.raises(DogidError, match=f"lies outside of the inbox, {inbox.folder}; nothing was labelled. Only"):
        find_photo_to_label(inbox.db, str(outside), inbox.folder)
    add_classified(inbox, "a")

    with pytest.raises(DogidError, match=f"give its path: {inbox.folder}/a"):
        find_photo_to_label(inbox.db, str(outside), inbox.folder)


def test_inbox_is_the_one_that_the_state_was_used_with(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOGID_INBOX", raising=False)
    monkeypatch.delenv("DOGID_CONFIG", raising=False)
    noted = {"inbox_path": str(inbox.folder), "host": "127.0.0.1", "url": "http://127.0.0.1:8000/"}
    (inbox.state / "condition.json").write_text(json.dumps(noted))
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    assert find_inbox(parser.parse_args(["--state", str(inbox.state)])) == inbox.folder
    assert find_inbox(parser.parse_args(["--state", str(inbox.state), "--inbox", "/other"])) == Path("/other")
