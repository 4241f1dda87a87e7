"""A ledger of an older dogid under the code of today: nothing is lost.

`upgrade/schema_3.sql` and `schema_3.json` are the same of the third schema: photos classified, overwritten, failed,
gone, renamed and pending, by two models.

`upgrade/schema_1.sql` is a ledger as the first schema has it, dumped by `sqlite3.Connection.iterdump` with its
`user_version`; `upgrade/schema_1.json` is what the code of that time read from it: counts, results, and each row's
history, oldest first. It was written through that code's own `Ledger`, with a clock that was set and files that were
made up: `latest.jpg` classified, then failed, then classified by another model; `after.jpg`, a photo that was renamed
over another; one that was touched, one that failed (its name is not UTF-8), one under two names, one that vanished and
returned; pending ones that wait after an error, were interrupted twice, take the place of a result, are due; and one
whose result was forgotten.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dogid.errors import UsageError
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger import queries
from dogid.ledger.database import is_outdated, open_for_changes, open_for_reading, open_for_writing
from dogid.ledger.histories import all_pages
from dogid.ledger.ledger import Ledger
from dogid.ledger.review_writer import say_label
from dogid.ledger.reviews import list_standing_reviews
from dogid.ledger.schema import MIGRATIONS
from tests.ledger.ledger_folder import NOON, Inbox
from tests.support.clocks import SetClock
from tests.support.photos import put

_FOLDER = Path(__file__).with_name("upgrade")
_SINCE: dict[str, Any] = {"reviewed": None, "taken_at": None}
_BEFORE: dict[str, Any] = json.loads((_FOLDER / "schema_1.json").read_text())


def _write_ledger(folder: Path, version: int) -> Path:
    with sqlite3.connect(folder / "ledger.db") as db:
        db.executescript((_FOLDER / f"schema_{version}.sql").read_text())
    db.close()
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with the oldest ledger."""
    return _write_ledger(tmp_path, 1)


@pytest.fixture
def ledger(state: Path) -> Iterator[Ledger]:
    made = Ledger(state, lambda _: None, SetClock([NOON, 5_000]))
    assert made.moved_aside is None
    yield made
    made.close()


def test_upgraded_ledger_has_the_newest_schema(state: Path, ledger: Ledger) -> None:  # noqa: ARG001
    db = open_for_reading(state)

    assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_upgraded_ledger_has_the_same_results_and_histories(state: Path, ledger: Ledger) -> None:  # noqa: ARG001
    db = open_for_reading(state)
    histories = {
        str(row["id"]): [step for page in all_pages(db, row["id"]) for step in page.steps][::-1]
        for row in db.execute("SELECT id FROM photo")
    }

    assert queries.count_by_status(db) == _BEFORE["counts"]
    assert queries.read_newest_seq(db) == _BEFORE["newest_seq"]
    # since then a result says whether its file is present, and was reviewed: all are until a scan finds otherwise
    since = [
        result | _unsure(result) | _SINCE | {"present": True, "folder": result["file"].rpartition("/")[0]}
        for result in _BEFORE["results"]
    ]
    assert queries.list_results(db, queries.ResultFilter(limit=100)) == since
    # and a pending photo's size is the present one, which may not be the one that was seen first
    for steps in histories.values():
        for step in steps:
            step["detail"] = step["detail"].removesuffix(" by now")
    assert histories == _BEFORE["histories"]


def test_third_schema_is_upgraded_and_its_photos_get_words(tmp_path: Path) -> None:
    before = json.loads((_FOLDER / "schema_3.json").read_text())
    clock = SetClock([NOON, 5_000])
    ledger = Ledger(_write_ledger(tmp_path, 3), lambda _: None, clock)
    db = open_for_reading(tmp_path)
    histories = {
        str(row["id"]): [step for page in all_pages(db, row["id"]) for step in page.steps][::-1]
        for row in db.execute("SELECT id FROM photo")
    }

    assert ledger.moved_aside is None
    assert queries.count_by_status(db) == before["counts"]
    unreviewed = [result | _unsure(result) | _SINCE for result in before["results"]]
    assert queries.list_results(db, queries.ResultFilter(limit=100)) == unreviewed
    assert histories == before["histories"]
    classified = [result for result in before["results"] if result["status"] == "classified"]
    assert ledger.review([result["id"] for result in classified], say_label("wolf", "anna")) == len(classified)
    assert {found.review.sha256 for found in list_standing_reviews(db, "")} == {
        result["sha256"] for result in classified
    }
    assert min(found.review.id for found in list_standing_reviews(db, "")) == before["newest_seq"] + 1
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    ledger.close()


def test_older_ledger_is_read_before_the_daemon_upgrades_it(state: Path) -> None:
    before = (state / "ledger.db").read_bytes()
    db = open_for_reading(state)

    assert queries.count_by_status(db) == _BEFORE["counts"]
    assert len(queries.list_results(db, queries.ResultFilter(limit=100))) == len(_BEFORE["results"])
    db.close()
    assert (state / "ledger.db").read_bytes() == before


def test_upgraded_ledger_goes_on_with_pending_photos(ledger: Ledger) -> None:
    jobs = {job.path: job for job in ledger.claim(100, ())}

    assert set(jobs) == {b"waits.jpg", b"interrupted.jpg", b"replaced.jpg", b"due.jpg"}
    assert (jobs[b"waits.jpg"].attempts, jobs[b"waits.jpg"].last_error) == (1, "unreadable")
    interrupted = jobs[b"interrupted.jpg"].id
    ledger.record_interruptions([interrupted], [interrupted])
    assert {job.path for job in ledger.claim(100, ())} == set(jobs) - {b"interrupted.jpg"}


def test_upgrade_classifies_no_photo_again(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    put(inbox.folder / "a.jpg", b"a")
    inbox.observe("a.jpg")
    inbox.classify(inbox.job())
    inbox.ledger.connection.db.execute("UPDATE photo SET ctime_ns = NULL")  # as of a ledger that has no ctimes
    (inbox.folder / "a.jpg").chmod(0o600)

    assert inbox.observe("a.jpg") == 0
    assert inbox.states() == {"a.jpg": "classified"}
    (ctime,) = inbox.db.execute("SELECT ctime_ns FROM photo").fetchone()
    assert ctime == (inbox.folder / "a.jpg").stat().st_ctime_ns
    inbox.close()


@pytest.mark.parametrize(("closed", "first"), [(1, 18), (0, 100_018)])
def test_upgrade_gives_no_lost_id_again(state: Path, closed: int, first: int) -> None:
    with sqlite3.connect(state / "ledger.db") as db:
        db.execute("UPDATE counter SET value = ? WHERE name = 'closed'", (closed,))
    db.close()
    ledger = Ledger(state, lambda _: None, SetClock([NOON, 5_000]))

    assert ledger.observe([FoundFile(b"new.jpg", Version(1, 2, 3))]) == [first]
    ledger.close()


def test_ledger_of_an_older_dogid_is_not_changed_beside_the_daemon(state: Path) -> None:
    with pytest.raises(UsageError, match="start the daemon once"):
        open_for_changes(state)


def test_copy_of_an_older_ledger_is_outdated_once_it_is_updated(state: Path) -> None:
    db = open_for_reading(state)
    assert not is_outdated(state, db)
    open_for_writing(state).connection.close()

    assert is_outdated(state, db)
    assert not is_outdated(state, open_for_reading(state))


def _unsure(result: dict[str, Any]) -> dict[str, bool | None]:
    """Return what is said since then about a result for which there is no threshold."""
    return {"unsure": False if result["status"] == "classified" else None}
