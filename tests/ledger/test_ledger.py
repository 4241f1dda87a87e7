"""The ledger: one row for each version of a photo, in exactly one state."""

import os
import sqlite3
import threading

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, Version, find_file
from dogid.ledger import queries
from dogid.ledger.database import suspect
from dogid.ledger.outcomes import Classified, Failed, Timings, Waiting
from tests.ledger.ledger_folder import Inbox, insert_versions
from tests.support.photos import put


def test_file_observed_repeatedly_is_one_row(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    assert [inbox.observe("a") for _ in range(3)] == [1, 0, 0]
    assert queries.count_by_status(inbox.db) == {"pending": 1, "classified": 0, "failed": 0}


def test_database_refuses_second_current_row(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    copy = "INSERT INTO photo (path, inode, size, mtime_ns, state, seen_at) VALUES (x'61', 9, 9, 9, 'pending', 0)"

    with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(inbox.state / "ledger.db") as db:
        db.execute(copy)


@pytest.mark.parametrize(
    "change",
    ["state = 'lost'", "state = 'classified'", "state = 'failed'", "label = 'cat'", "superseded_by = id"],
)
def test_database_refuses_contradictory_rows(inbox: Inbox, change: str) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")

    with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(inbox.state / "ledger.db") as db:
        db.execute(f"UPDATE photo SET {change}")


def test_outcome_of_older_version_is_not_written(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"first")
    inbox.observe("a")
    job = inbox.job()
    old = inbox.look("a").version
    path.write_bytes(b"second, and longer")
    inbox.observe("a")
    inbox.ledger.record([Failed(job, old, PhotoCode.CORRUPT, "bad")])

    assert inbox.states() == {"a": "pending"}
    inbox.classify(inbox.job())
    assert inbox.states() == {"a": "classified"}


def test_repeated_outcome_is_written_once(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.classify(job)
    inbox.ledger.record([Failed(job, job.version, PhotoCode.CORRUPT, "bad")])

    assert inbox.states() == {"a": "classified"}
    assert queries.read_newest_seq(inbox.db) == 1


def test_photo_touched_twice_keeps_its_first_result(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    (first,) = queries.list_results(inbox.db, queries.ResultFilter())
    for seconds in (1, 2):
        os.utime(path, (seconds, seconds))
        inbox.observe("a")
    path.rename(inbox.folder / "b")
    inbox.observe("b")
    found = inbox.look("b")
    outcome = Classified(
        inbox.job(), found.version, str(first["sha256"]), 1, 1, {"cat": 1.0}, inbox.model_id, Timings(1, 1, 1)
    )
    inbox.ledger.record([outcome])
    inbox.observe("b")

    (result,) = queries.list_results(inbox.db, queries.ResultFilter())
    assert (result["id"], result["file"], result["status"]) == (first["id"], "b", "classified")


def test_a_ledger_whose_transaction_failed_goes_on(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    broken = FoundFile(b"b", Version(1, "no number", 1))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        inbox.ledger.observe([inbox.look("a"), broken])

    assert inbox.states() == {}
    assert inbox.observe("a") == 1


def test_counts_are_those_of_the_rows(inbox: Inbox) -> None:
    for number in range(6):
        put(inbox.folder / str(number), str(number).encode())
        inbox.observe(str(number))
    for job in inbox.ledger.claim(4, ()):
        if job.id % 2:
            inbox.classify(job)
        else:
            inbox.ledger.record([Failed(job, job.version, PhotoCode.CORRUPT, "bad")])

    counted = dict(inbox.db.execute("SELECT state, count(*) FROM photo GROUP BY state").fetchall())
    assert queries.count_by_status(inbox.db) == counted == {"pending": 2, "classified": 2, "failed": 2}


def test_pages_stay_disjoint_while_photos_arrive(inbox: Inbox) -> None:
    def add(first: int, count: int) -> None:
        for number in range(first, first + count):
            put(inbox.folder / f"{number:03}", b"x")
            inbox.observe(f"{number:03}")

    add(0, 25)
    seen: list[str] = []
    before = None
    while page := queries.list_results(inbox.db, queries.ResultFilter(limit=10, before=before)):
        seen += [result["file"] for result in page]
        before = page[-1]["id"]
        add(500 + len(seen), 3)

    assert seen == [f"{number:03}" for number in reversed(range(25))]


def test_result_written_between_two_looks_stands(inbox: Inbox) -> None:
    put(inbox.folder / "a.jpg", b"one")
    inbox.observe("a.jpg")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "ends early", 1000)])

    def classify_once(_: object) -> None:
        """The ledger asks this after the first look, before its transaction."""
        inbox.ledger.on_doubtful = lambda _: None
        inbox.classify(job)

    inbox.ledger.on_doubtful = classify_once

    assert inbox.observe("a.jpg", wake=True) == 0
    assert inbox.states() == {"a.jpg": "classified"}


@pytest.mark.parametrize("damaged", [True, False])
def test_suspected_damage_is_checked_in_large_ledger(inbox: Inbox, damaged: bool) -> None:
    insert_versions(inbox.ledger, 2000)
    inbox.close()
    path = inbox.state / "ledger.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 4096)
        file.write(os.urandom(4096) if damaged else b"")
        file.truncate(64 << 20)  # too large to be checked at every start

    inbox.open()
    assert inbox.ledger.moved_aside is None

    inbox.close()
    suspect(inbox.state)
    inbox.open()
    assert (inbox.ledger.moved_aside is not None) == damaged


def test_results_are_recorded_while_the_inbox_hangs(inbox: Inbox) -> None:
    put(inbox.folder / "working.jpg", b"working")
    put(inbox.folder / "a.jpg", b"a")
    put(inbox.folder / "moved.jpg", b"moved")
    inbox.observe("working.jpg", "a.jpg", "moved.jpg")
    job = next(job for job in inbox.ledger.claim(9, ()) if job.path == b"working.jpg")
    for old, new in (("a", "b"), ("moved", "moved too")):
        (inbox.folder / f"{old}.jpg").rename(inbox.folder / f"{new}.jpg")
    found, moved = inbox.look("b.jpg"), inbox.look("moved too.jpg")
    hangs, goes_on = threading.Barrier(2), threading.Event()

    def hang(path: bytes) -> FoundFile | None:
        hangs.wait(60)
        assert goes_on.wait(60)
        return find_file(inbox.folder, path)

    inbox.find = hang
    reconciler = threading.Thread(
        target=lambda: [inbox.ledger.observe([found]), inbox.ledger.record_rename(b"moved.jpg", moved)], daemon=True
    )
    reconciler.start()
    hangs.wait(60)  # at the former name of b.jpg
    inbox.classify(job)
    assert inbox.states()["working.jpg"] == "classified"
    goes_on.set()
    hangs.wait(60)  # at that of the moved one
    reconciler.join(60)
    assert set(inbox.states()) == {"working.jpg", "b.jpg", "moved too.jpg"}
