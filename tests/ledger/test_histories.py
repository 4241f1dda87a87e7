"""Histories: all versions of one photo, a page at a time, and no more versions than are kept."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile
from dogid.ledger import histories
from dogid.ledger.database import open_for_reading
from dogid.ledger.histories import Step, all_pages, read_history_page
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Failed, Timings
from tests.ledger.ledger_folder import NOON, Inbox, insert_versions
from tests.support.clocks import SetClock
from tests.support.photos import put

VERSIONS = 20_000


@pytest.fixture(scope="module")
def overwritten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """The ledger of one file that was overwritten 20,000 times."""
    state = tmp_path_factory.mktemp("overwritten")
    ledger = Ledger(state, lambda _: None, SetClock([NOON, 5_000]))
    insert_versions(ledger, VERSIONS)
    db = open_for_reading(state)
    yield db
    db.close()
    ledger.close()


def steps(inbox: Inbox, name: str) -> list[tuple[str, int]]:
    """Event and version of each step in the history of a file's photo."""
    (row,) = inbox.db.execute("SELECT id FROM photo WHERE path = ? AND state != 'superseded'", (name.encode(),))
    return [(step["event"], step["result"]) for page in all_pages(inbox.db, row["id"]) for step in page.steps]


def former_versions(inbox: Inbox) -> int:
    return int(inbox.db.execute("SELECT count(*) FROM photo WHERE state = 'superseded'").fetchone()[0])


def vm_steps(db: sqlite3.Connection, photo_id: int, before: histories.Position | None) -> int:
    """How many instructions SQLite runs for a page, in hundreds."""
    ran = 0

    def count() -> None:
        nonlocal ran
        ran += 1

    db.set_progress_handler(count, 100)
    read_history_page(db, photo_id, before)
    db.set_progress_handler(None, 0)
    return ran


def test_page_costs_the_same_with_20000_versions(overwritten: sqlite3.Connection) -> None:
    newest = VERSIONS
    first = read_history_page(overwritten, newest)
    assert len(first.steps) == 50
    assert [step["result"] for step in first.steps[:3]] == [newest, newest, newest - 1]
    assert first.next is not None

    tracemalloc.start()
    read_history_page(overwritten, newest)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300_000
    for before in (None, first.next, histories.Position(VERSIONS // 2, 0), histories.Position(60, 0)):
        assert vm_steps(overwritten, newest, before) < 60


def test_pages_are_complete_and_in_order(overwritten: sqlite3.Connection) -> None:
    found = [step["at"] for page in all_pages(overwritten, VERSIONS) for step in page.steps]

    assert len(found) == 2 * VERSIONS
    assert found == sorted(found, reverse=True)


def test_page_may_begin_within_a_version(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "PAGE", 3)
    for number in range(4):
        inbox.overwrite("a", f"content {number}")
    (inbox.folder / "a").rename(inbox.folder / "b")
    inbox.clock.advance(1000)
    inbox.observe("b")
    inbox.classify(inbox.job())
    pages = list(all_pages(inbox.db, 4))

    assert [len(page.steps) for page in pages] == [3, 3, 3]
    assert [(step["event"], step["result"]) for page in pages for step in page.steps] == [
        ("renamed", 4),
        *((event, number) for number in (4, 3, 2, 1) for event in ("classified", "seen")),
    ]
    assert [page.next for page in pages] == [histories.Position(4, 0), histories.Position(2, 1), None]


def test_size_of_a_growing_file_is_that_of_now(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"four")
    inbox.observe("a")
    put(inbox.folder / "a", b"and more")
    inbox.observe("a")

    (page,) = all_pages(inbox.db, 1)
    assert [step["detail"] for step in page.steps if step["event"] == "seen"] == ["8 bytes by now"]


def test_history_of_a_former_version_ends_with_it(inbox: Inbox) -> None:
    for number in range(3):
        inbox.overwrite("a", f"content {number}")

    found = read_history_page(inbox.db, 2).steps
    assert [step["result"] for step in found] == [2, 2, 1, 1]


def test_history_holds_both_pasts_of_a_renamed_photo(inbox: Inbox) -> None:
    inbox.overwrite("a", "first of a")
    inbox.overwrite("a", "second of a")
    inbox.overwrite("b", "first of b")
    inbox.overwrite("b", "second of b")
    (inbox.folder / "a").rename(inbox.folder / "b")
    inbox.clock.advance(1000)
    inbox.observe("b")
    inbox.classify(inbox.job())

    assert steps(inbox, "b") == [
        ("renamed", 2),
        *((event, number) for number in (4, 3, 2, 1) for event in ("classified", "seen")),
    ]


def test_only_so_many_former_versions_are_kept(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, keep_versions=3)
    for number in range(8):
        inbox.overwrite("a", f"content {number}")
        inbox.overwrite("other", f"other content {number}")

    assert former_versions(inbox) == 6
    assert {result for _, result in steps(inbox, "a")} == {9, 11, 13, 15}
    inbox.close()


def test_renaming_over_a_photo_keeps_no_more_versions(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, keep_versions=3)
    for number in range(6):
        inbox.overwrite("new.jpg", f"content {number}")
        inbox.overwrite("new.jpg", f"better content {number}")
        (inbox.folder / "new.jpg").rename(inbox.folder / "latest.jpg")
        assert inbox.ledger.record_rename(b"new.jpg", inbox.look("latest.jpg")) == []

    assert former_versions(inbox) == 3
    inbox.close()


def test_ledger_shrinks_gradually_to_fewer_versions(inbox: Inbox) -> None:
    for number in range(130):
        inbox.overwrite("a", f"content {number}")
    inbox.ledger.keep_versions(2)
    left = []
    for number in range(3):
        inbox.overwrite("a", f"further content {number}")
        left.append(former_versions(inbox))

    assert left == [30, 2, 2]
    assert inbox.db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_repeated_touches_keep_history_short(inbox: Inbox) -> None:
    inbox.overwrite("a", "content")
    for number in range(150):
        inbox.clock.advance(1000)
        version = inbox.look("a").version._replace(mtime_ns=number)
        inbox.ledger.observe([FoundFile(b"a", version)])
        job = inbox.job()
        inbox.ledger.record(
            [Classified(job, version, sha256(b"content").hexdigest(), 1, 1, {"cat": 1.0}, 1, Timings(1, 1, 1))]
        )

    found = steps(inbox, "a")
    assert [event for event, _ in found] == [*["touched"] * 100, "classified", "seen"]
    assert inbox.db.execute("SELECT count(*) FROM event").fetchone()[0] == 100


def test_failed_versions_are_part_of_a_history(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"bad")
    inbox.observe("a")
    job = inbox.job()
    inbox.ledger.record([Failed(job, job.version, PhotoCode.CORRUPT, "bad")])
    inbox.overwrite("a", "good content")

    newest: Step = read_history_page(inbox.db, 2).steps[2]
    assert (newest["event"], newest["detail"]) == ("failed", "corrupt: bad")
