"""What is forgotten, and what never."""

from pathlib import Path

import pytest

from dogid.ledger.retention import Retention, forget_departed
from tests.ledger.ledger_folder import NOON, Inbox
from tests.support.photos import put

DAY_MS = 86_400_000


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    made = Inbox(tmp_path)
    for name in ("old", "kept", "new", "sub/deep"):
        put(made.folder / name, name.encode())
        made.observe(name)
        made.classify(made.job())
        made.clock.advance(DAY_MS)
    return made


def forget(inbox: Inbox, days: int = 0, rows: int = 0) -> int:
    return forget_departed(inbox.ledger, inbox.db, inbox.folder, Retention(days, rows), NOON + 4 * DAY_MS)


def former_versions(inbox: Inbox) -> int:
    return int(inbox.db.execute("SELECT count(*) FROM photo WHERE state = 'superseded'").fetchone()[0])


def test_retention_by_age_forgets_old_results_only(inbox: Inbox) -> None:
    for name in ("old", "new"):
        (inbox.folder / name).unlink()

    assert forget(inbox, days=3) == 1
    assert set(inbox.states()) == {"kept", "new", "sub/deep"}


def test_retention_by_number_keeps_newest_results(inbox: Inbox) -> None:
    for name in ("old", "new"):
        (inbox.folder / name).unlink()

    assert forget(inbox, rows=1) == 1
    assert set(inbox.states()) == {"kept", "new", "sub/deep"}


def test_results_of_present_photos_are_never_forgotten(inbox: Inbox) -> None:
    assert forget(inbox, days=1, rows=1) == 0
    assert inbox.observe("old", "kept", "new", "sub/deep") == 0


def test_retention_keeps_results_of_empty_folders(inbox: Inbox) -> None:
    (inbox.folder / "sub" / "deep").unlink()
    assert forget(inbox, days=1) == 0
    for name in ("old", "kept", "new"):
        (inbox.folder / name).unlink()
    (inbox.folder / "sub").rmdir()
    assert forget(inbox, days=1) == 0

    put(inbox.folder / "back", b"back")
    assert forget(inbox, days=1) == 3
    assert set(inbox.states()) == {"sub/deep"}  # not a day old: it was classified on the last


def test_nothing_is_forgotten_while_the_inbox_is_missing(inbox: Inbox) -> None:
    inbox.folder.rename(inbox.folder.with_name("away"))

    assert forget(inbox, days=1, rows=1) == 0


def test_former_versions_of_present_photos_are_kept(inbox: Inbox) -> None:
    for number in range(3):
        inbox.overwrite("old", f"content {number}")

    assert forget(inbox, days=1, rows=1) == 0
    assert former_versions(inbox) == 3


def test_former_versions_neither_count_nor_outlive_their_photo(inbox: Inbox) -> None:
    for number in range(5):
        inbox.overwrite("kept", f"content {number}")
        inbox.overwrite("new", f"other content {number}")
    for name in ("old", "new"):
        (inbox.folder / name).unlink()

    assert forget(inbox, rows=2) == 0
    assert forget(inbox, rows=1) == 1
    assert set(inbox.states()) == {"kept", "new", "sub/deep"}
    (inbox.folder / "kept").unlink()
    (inbox.folder / "new").unlink(missing_ok=True)
    assert forget(inbox, rows=1) == 1
    assert former_versions(inbox) == 5


def test_photo_that_came_back_is_not_forgotten(inbox: Inbox) -> None:
    old = next(row["id"] for row in inbox.db.execute("SELECT id FROM photo WHERE path = x'6f6c64'"))
    inbox.overwrite("old", "back, with another content")

    assert inbox.ledger.forget([old]) == 0
    assert former_versions(inbox) == 1
