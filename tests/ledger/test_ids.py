"""Ids: they only grow, over power cuts, kills and two threads, and cost few waits for the disk."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

from dogid.inbox.scan import FoundFile, Version
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put


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
            inbox.ledger.connection.db.set_trace_callback(None)

    def other_work() -> None:
        inbox.ledger.observe([files[99]])

    inbox.ledger.connection.lock = cast("threading.Lock", lock)
    inbox.ledger.connection.db.set_trace_callback(interrupt)
    inbox.ledger.observe([files[100]])

    (last,) = inbox.db.execute("SELECT seq FROM sqlite_sequence").fetchone()
    (reserved,) = inbox.db.execute("SELECT value FROM counter WHERE name = 'reserved'").fetchone()
    assert last == len(files)
    assert last <= reserved


def test_many_new_files_wait_for_the_disk_rarely(inbox: Inbox) -> None:
    levels: list[str] = []
    inbox.ledger.connection.db.set_trace_callback(
        lambda statement: levels.append(statement) if "synchronous" in statement else None
    )
    for number in range(200):
        put(inbox.folder / f"{number}.jpg", b"x")
        inbox.observe(f"{number}.jpg")

    assert len(levels) == 200
    assert sum("FULL" in level for level in levels) <= 3
