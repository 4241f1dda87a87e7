"""The ledger: one row for each version of a photo, in exactly one state."""

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, Version, find_file
from dogid.ledger import queries
from dogid.ledger.database import open_for_reading, suspect
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Failed, Timings, Waiting
from tests.ledger.ledger_folder import NOON, Inbox, insert_versions
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


def test_newest_photos_are_claimed_first_by_default(inbox: Inbox) -> None:
    names = [f"{number}" for number in range(10)]
    for name in names:
        put(inbox.folder / name, b"x")
        inbox.observe(name)

    assert [job.path for job in inbox.ledger.claim(3, ())] == [b"9", b"8", b"7"]
    assert [job.path for job in inbox.ledger.claim(2, (10, 1), oldest=True)] == [b"1", b"2"]
    assert [job.path for job in inbox.ledger.claim(2, (10, 9))] == [b"7", b"6"]


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


def test_failure_at_old_name_leaves_renamed_photo_pending(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    path.rename(inbox.folder / "b")
    inbox.observe("b")
    inbox.ledger.record([Failed(job, job.version, PhotoCode.VANISHED, "gone")])

    assert inbox.states() == {"b": "pending"}


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


def test_waiting_ends_when_its_time_comes(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EACCES", 1000)])

    assert inbox.ledger.claim(1, ()) == []
    assert inbox.ledger.wake_due() == 1000
    inbox.clock.advance(999)
    assert inbox.ledger.wake_due() == 1
    inbox.clock.advance(1)
    assert inbox.ledger.wake_due() is None
    assert inbox.job().attempts == 1


def test_a_wake_up_ends_waiting_at_once(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EACCES", 300_000)])
    assert inbox.observe("a") == 0
    assert inbox.observe("a", wake=True) == 1

    assert inbox.job().last_error == "unreadable"


def test_restart_retries_waiting_photos_and_keeps_attempts(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    for _ in range(5):
        inbox.clock.advance(1_000_000)
        inbox.ledger.wake_due()
        job = inbox.job()
        inbox.ledger.record([Waiting(job, job.version, PhotoCode.UNREADABLE, "EIO", 300_000)])
    inbox.clock.times[1] = 7  # another boot: the steady clock starts again
    inbox.reopen()

    job = inbox.job()
    assert (job.attempts, job.unchanged_since) == (5, 7)


def test_wall_clock_jumps_change_no_order_and_no_waiting(inbox: Inbox) -> None:
    for number, wall in enumerate((NOON, 0, NOON * 2, -5, NOON)):
        inbox.clock.set_wall(wall)
        put(inbox.folder / str(number), str(number).encode())
        inbox.observe(str(number))
        inbox.classify(inbox.job())
    put(inbox.folder / "waiting", b"w")
    inbox.observe("waiting")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "short", 1000)])
    inbox.clock.set_wall(NOON * 3)
    assert inbox.ledger.wake_due() == 1000
    inbox.clock.times[1] += 1000
    assert inbox.ledger.wake_due() is None

    found = queries.list_results_since(inbox.db, 0, 100)
    assert [result["file"] for _, result in found] == ["0", "1", "2", "3", "4"]
    newest = queries.list_results(inbox.db, queries.ResultFilter(limit=2))
    assert [result["file"] for result in newest] == ["waiting", "4"]


def test_ids_only_grow_after_rows_are_forgotten(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    job = inbox.job()
    inbox.classify(job)
    path.unlink()
    inbox.ledger.forget([job.id])
    put(inbox.folder / "b", b"b")
    inbox.observe("b")

    assert inbox.job().id > job.id


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


def test_result_written_between_two_looks_stands(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    put(inbox.folder / "a.jpg", b"one")
    inbox.observe("a.jpg")
    job = inbox.job()
    inbox.ledger.record([Waiting(job, job.version, PhotoCode.TRUNCATED, "ends early", 1000)])
    transaction = inbox.ledger._reserving_transaction

    def after_an_answer(count: int) -> object:
        monkeypatch.setattr(inbox.ledger, "_reserving_transaction", transaction)
        inbox.classify(job)
        return transaction(count)

    monkeypatch.setattr(inbox.ledger, "_reserving_transaction", after_an_answer)

    assert inbox.observe("a.jpg", wake=True) == 0
    assert inbox.states() == {"a.jpg": "classified"}


def test_photos_in_long_trouble_are_tried_again_together(inbox: Inbox) -> None:
    for number in range(9):
        put(inbox.folder / f"{number}", b"x")
        inbox.observe(f"{number}")
    for delay, job in enumerate(inbox.ledger.claim(9, ())):
        inbox.ledger.record(
            [Waiting(job, job.version, PhotoCode.UNREADABLE, "the inbox is gone", 60_000 + delay * 100)]
        )
    inbox.clock.advance(59_999)
    assert inbox.ledger.wake_due() is not None
    assert inbox.ledger.claim(9, ()) == []

    inbox.clock.advance(1_001)
    assert inbox.ledger.wake_due() is None
    assert len(inbox.ledger.claim(9, ())) == 9


def test_pending_ids_come_in_the_order_of_files(inbox: Inbox) -> None:
    for name in ("1", "2", "3"):
        put(inbox.folder / name, name.encode())
        inbox.observe(name)
        inbox.classify(inbox.job())
        (inbox.folder / name).write_bytes(b"changed " + name.encode())
    put(inbox.folder / "new", b"new")
    found = [inbox.look(name) for name in ("1", "2", "3", "new")]

    ids = inbox.ledger.observe(found, wake=True)
    assert [job.path for at in ids for job in inbox.ledger.claim_these([at])] == [b"1", b"2", b"3", b"new"]


def test_pending_photo_is_returned_again_when_its_event_comes(inbox: Inbox) -> None:
    put(inbox.folder / "a", b"a")
    found = [inbox.look("a")]
    (known,) = inbox.ledger.observe(found)

    assert inbox.ledger.observe(found) == []
    assert inbox.ledger.observe(found, wake=True) == [known]
    inbox.classify(inbox.job())
    assert inbox.ledger.observe(found, wake=True) == []


def test_new_inode_numbers_do_not_make_files_new(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path)
    put(inbox.folder / "a.jpg", b"one")
    inbox.observe("a.jpg")
    inbox.classify(inbox.job())
    inbox.close()
    ledger = Ledger(inbox.state, lambda path: find_file(inbox.folder, path), inbox.clock, stable_inodes=False)
    found = inbox.look("a.jpg")

    assert ledger.observe([found._replace(version=found.version._replace(inode=found.version.inode + 1))]) == []
    assert len(ledger.observe([found._replace(version=found.version._replace(size=found.version.size + 1))])) == 1
    ledger.close()


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


def die(inbox: Inbox, disk: Path) -> None:
    """Have the ledger's process end at once, with the state that is on disk, a copy of the folder; then start again."""
    inbox.close()
    shutil.rmtree(inbox.state)
    shutil.move(disk, inbox.state)
    inbox.open()


def next_id(inbox: Inbox, name: str) -> int:
    """Put a new photo into the inbox and return its id."""
    put(inbox.folder / name, name.encode())
    inbox.observe(name)
    return inbox.job().id


def test_id_lost_in_a_power_cut_is_never_given_again(inbox: Inbox, tmp_path: Path) -> None:
    """New photos are not synced at once: the disk may hold what was there before them, and people saw the ids."""
    seen = next_id(inbox, "first.jpg")  # on disk, with the ids that are reserved
    for number in range(3):
        disk = shutil.copytree(inbox.state, tmp_path / f"disk{number}")
        for photo in range(30):
            seen = next_id(inbox, f"{number}-{photo}.jpg")
        die(inbox, disk)
        assert next_id(inbox, f"after{number}.jpg") > seen


def test_ids_have_no_gap_over_a_stop(inbox: Inbox) -> None:
    put(inbox.folder / "a.jpg", b"a")
    inbox.observe("a.jpg")
    first = inbox.job().id
    inbox.reopen()
    put(inbox.folder / "b.jpg", b"b")
    inbox.observe("b.jpg")
    assert inbox.job().id == first + 1


def test_kill_leaves_a_gap_of_at_most_100_ids(inbox: Inbox, tmp_path: Path) -> None:
    seen = next_id(inbox, "a.jpg")
    for number in range(5):  # killed again and again, also while it starts
        die(inbox, shutil.copytree(inbox.state, tmp_path / f"killed{number}"))

    assert seen < next_id(inbox, "b.jpg") <= seen + 100


def test_kill_in_a_backlog_leaves_a_gap_of_at_most_1000_ids(inbox: Inbox, tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(230)]
    for name in names:
        put(inbox.folder / name, b"x")
    for batch in (names[:100], names[100:200], names[200:]):
        inbox.observe(*batch)
    seen = inbox.job().id
    die(inbox, shutil.copytree(inbox.state, tmp_path / "killed"))

    assert seen < next_id(inbox, "after.jpg") <= seen + 1_000


class InterruptedLock:
    """A lock; after it was let go, another thread's work may come before what its holder does next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.other_work: Callable[[], object] | None = None

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
        work, self.other_work = self.other_work, None
        if work is not None:
            work()


def test_two_threads_give_reserved_ids_only(inbox: Inbox) -> None:
    files = [FoundFile(b"%d.jpg" % number, Version(number + 1, 1, 1)) for number in range(101)]
    for file in files[:99]:
        inbox.ledger.observe([file])
    lock = InterruptedLock()

    def interrupt(statement: str) -> None:
        if statement.startswith("SELECT seq"):
            lock.other_work = other_work
            inbox.ledger._db.set_trace_callback(None)

    def other_work() -> None:
        inbox.ledger.observe([files[99]])

    inbox.ledger._lock = cast("threading.Lock", lock)
    inbox.ledger._db.set_trace_callback(interrupt)
    inbox.ledger.observe([files[100]])

    (last,) = inbox.ledger._db.execute("SELECT seq FROM sqlite_sequence").fetchone()
    (reserved,) = inbox.ledger._db.execute("SELECT value FROM counter WHERE name = 'reserved'").fetchone()
    assert last == len(files)
    assert last <= reserved == inbox.ledger._reserved


def test_many_new_files_wait_for_the_disk_rarely(inbox: Inbox) -> None:
    levels: list[str] = []
    inbox.ledger._db.set_trace_callback(
        lambda statement: levels.append(statement) if "synchronous" in statement else None
    )
    for number in range(200):
        put(inbox.folder / f"{number}.jpg", b"x")
        inbox.observe(f"{number}.jpg")

    assert len(levels) == 200
    assert sum("FULL" in level for level in levels) <= 3


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


def test_outcome_recorded_during_a_look_still_allows_rename(inbox: Inbox) -> None:
    """A worker read the file before it was renamed: the row is that file's only once its outcome is written."""
    digest = sha256(b"written on").hexdigest()
    path = put(inbox.folder / "a.jpg", b"a")
    inbox.observe("a.jpg")
    job = inbox.job()
    path.write_bytes(b"written on")
    outcome = Failed(job, inbox.look("a.jpg").version, PhotoCode.CORRUPT, "bad", digest)
    path.rename(inbox.folder / "b.jpg")
    put(inbox.folder / "link.jpg", b"other")
    inbox.observe("link.jpg")
    os.link(inbox.folder / "link.jpg", inbox.folder / "linked.jpg")

    def record_first(path: bytes) -> FoundFile | None:
        inbox.ledger.record([outcome])
        return find_file(inbox.folder, path)

    inbox.find = record_first
    inbox.observe("linked.jpg", "b.jpg")
    (renamed,) = (job for job in inbox.ledger.claim(9, ()) if job.path == b"b.jpg")
    inbox.ledger.record([Failed(renamed, renamed.version, PhotoCode.CORRUPT, "bad", digest)])

    assert inbox.states() == {"b.jpg": "failed", "link.jpg": "pending", "linked.jpg": "pending"}


def test_many_names_of_one_file_are_looked_at_together(inbox: Inbox) -> None:
    put(inbox.folder / "0.jpg", b"x")
    names = [f"{number}.jpg" for number in range(100)]
    for name in names[1:]:
        os.link(inbox.folder / "0.jpg", inbox.folder / name)
    changes = inbox.ledger.changes
    inbox.observe(*names)

    assert inbox.ledger.changes - changes <= 3
    assert set(inbox.states()) == set(names)


def test_renames_do_not_wait_for_the_disk(inbox: Inbox) -> None:
    put(inbox.folder / "0.jpg", b"x")
    inbox.observe("0.jpg")
    statements: list[str] = []
    inbox.ledger._db.set_trace_callback(statements.append)
    for number in range(10):
        (inbox.folder / f"{number}.jpg").rename(inbox.folder / f"{number + 1}.jpg")
        inbox.ledger.record_rename(f"{number}.jpg".encode(), inbox.look(f"{number + 1}.jpg"))

    assert set(inbox.states()) == {"10.jpg"}
    assert "PRAGMA synchronous = FULL" not in statements


def test_file_of_another_ctime_is_doubtful_and_not_pending(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    path.chmod(0o600)

    assert inbox.observe("a") == 0
    assert inbox.doubtful.pop(0) == inbox.look("a")
    assert inbox.ledger.decide(inbox.look("a"), sha256(b"a").hexdigest()) == []
    assert inbox.observe("a") == 0
    assert inbox.states() == {"a": "classified"}


def test_doubtful_file_of_other_content_becomes_pending(inbox: Inbox) -> None:
    path = put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    path.chmod(0o600)

    assert inbox.ledger.decide(inbox.look("a"), sha256(b"b").hexdigest()) == [2]
    assert inbox.states() == {"a": "pending"}


def test_unstable_inodes_leave_no_file_doubtful_at_a_scan(inbox: Inbox) -> None:
    """Such file systems invent the ctime, too: asked at every scan, every file would be read again and again."""
    inbox.close()
    inbox.ledger = Ledger(inbox.state, lambda path: find_file(inbox.folder, path), inbox.clock, stable_inodes=False)
    inbox.ledger.on_doubtful = inbox.doubtful.extend
    inbox.db = open_for_reading(inbox.state)
    put(inbox.folder / "a", b"a")
    inbox.observe("a")
    inbox.classify(inbox.job())
    found = inbox.look("a")
    invented = found._replace(version=found.version._replace(inode=1, ctime_ns=1))

    assert inbox.ledger.observe([invented]) == []
    inbox.ledger.observe([invented], wake=True)
    assert inbox.doubtful.pop(0) == invented
    assert inbox.doubtful == []
