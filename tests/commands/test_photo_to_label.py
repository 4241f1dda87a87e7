"""Which photo a person means: the one whose content they see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.commands.photo_to_label import check_unchanged, find_photo_to_label
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
