"""The thread that maintains the ledger: what it repairs and deletes by itself, and which errors end it."""

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon import maintenance_thread
from dogid.daemon.maintenance_thread import MaintenanceThread
from dogid.ledger.counters import count_damaged_rows
from dogid.ledger.damage import DamagedRowError, UnreadableLedgerError
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.retention import Retention
from tests.ledger.ledger_folder import Inbox, add_classified
from tests.support.photos import put
from tests.support.waiting import TIMEOUT, eventually


def test_index_is_made_anew_soon_after_a_kill(tmp_path: Path) -> None:
    with closing(Inbox(tmp_path)) as inbox:
        add_classified(inbox, "photo.jpg")
        inbox.reopen()
        inbox.ledger.register_model("other.tflite", "11", ("cat",))  # is in the write-ahead log
        killed = shutil.copytree(inbox.state, tmp_path / "killed")
        (page,) = inbox.db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'photo_state'").fetchone()
    _damage_text(killed / FILE_NAME, page, b"classified", b"clasrified")
    ledger = Ledger(killed, lambda _: None, Clock())
    thread = MaintenanceThread(ledger, inbox.folder, Clock(), Retention(0, 0), _ignore, first_seconds=0)
    with closing(ledger), closing(open_for_reading(killed)) as db:
        assert db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok"

        thread.start()

        eventually(lambda: db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok", "the index is sound")
        thread.request_stop()
        thread.join(time.monotonic() + TIMEOUT)
        assert not ledger.repairer.is_damaged


def test_cut_off_uploads_are_deleted_at_start_and_daily(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance_thread, "_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(maintenance_thread, "_INSPECTION_ROUNDS", 1)
    with closing(Inbox(tmp_path)) as inbox:
        left = put(inbox.folder / ".dogid-upload-0123456789abcdef-1.part", b"half")
        thread = MaintenanceThread(
            inbox.ledger, inbox.folder, Clock(), Retention(0, 0), _ignore, takes_uploads=True, first_seconds=0
        )
        thread.start()
        assert eventually(lambda: not left.exists(), "what was left before the start is gone")
        put(left, b"half")
        assert eventually(lambda: not left.exists(), "what is left later is gone, too")
        thread.request_stop()
        thread.join(time.monotonic() + TIMEOUT)


@pytest.mark.parametrize("retention", [Retention(0, 0), Retention(1, 0)])
def test_ledger_that_cannot_be_opened_is_damaged(tmp_path: Path, retention: Retention) -> None:
    with closing(Inbox(tmp_path)) as inbox:
        add_classified(inbox, "photo.jpg")
        inbox.reopen()
        inbox.ledger.was_closed = False  # so that all of it is looked at in the first round
        with (inbox.state / FILE_NAME).open("r+b") as file:
            file.write(bytes(16))
        thread = MaintenanceThread(inbox.ledger, inbox.folder, Clock(), retention, _ignore, first_seconds=0)

        thread.start()

        thread.join(time.monotonic() + TIMEOUT)
        has_ended = not thread.is_alive
        thread.request_stop()
        assert has_ended
        assert inbox.ledger.repairer.is_damaged


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(Inbox(tmp_path)) as made:
        yield made


@contextmanager
def maintained(
    inbox: Inbox, on_pending: Callable[[Sequence[int]], None] = lambda _: None, *, first_seconds: float = 1e6
) -> Iterator[MaintenanceThread]:
    """Run the thread while the context lasts; by itself it does something after so many seconds."""
    thread = MaintenanceThread(
        inbox.ledger, inbox.folder, inbox.clock, Retention(0, 0), on_pending, first_seconds=first_seconds
    )
    yield thread
    thread.request_stop()
    thread.join(time.monotonic() + TIMEOUT)
    assert not thread.is_alive


def damage_row(inbox: Inbox) -> None:
    """Give an answered photo scores that no dogid writes."""
    photo_id = add_classified(inbox, "photo.jpg")
    db = inbox.ledger.connection.db
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("UPDATE photo SET scores = '[', label = 'cbt' WHERE id = ?", (photo_id,))
    db.execute("PRAGMA ignore_check_constraints = OFF")


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_damaged_row_that_was_met_is_repaired_at_once(inbox: Inbox) -> None:
    damage_row(inbox)
    has_pending = threading.Event()

    with maintained(inbox, lambda _: has_pending.set()) as thread:
        thread.start()
        thread.inspect_soon()
        assert has_pending.wait(TIMEOUT)

    assert count_damaged_rows(inbox.db) == 1
    assert inbox.states() == {"photo.jpg": "pending"}


def test_damaged_row_that_stops_its_work_is_repaired(inbox: Inbox) -> None:
    damage_row(inbox)
    has_pending = threading.Event()

    with maintained(inbox, lambda _: has_pending.set()) as thread:
        thread.start()
        thread.run_soon(failing(DamagedRowError("the row of result 1 is damaged")))
        assert has_pending.wait(TIMEOUT)

    assert inbox.states() == {"photo.jpg": "pending"}
    assert not inbox.ledger.repairer.is_damaged


def test_old_results_go_by_rules_that_have_changed(inbox: Inbox) -> None:
    add_classified(inbox, "stays.jpg")
    add_classified(inbox, "left.jpg")
    (inbox.folder / "left.jpg").unlink()
    inbox.ledger.note_left([b"left.jpg"])
    inbox.clock.advance(2 * 86_400_000)

    with maintained(inbox, first_seconds=0) as thread:
        thread.change_rules(Retention(1, 0))
        thread.start()
        eventually(lambda: inbox.states() == {"stays.jpg": "classified"}, lambda: str(inbox.states()))


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database is locked"), RuntimeError("of another kind")])
def test_work_that_fails_does_not_end_the_thread(
    inbox: Inbox, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    is_done = threading.Event()

    with maintained(inbox) as thread:
        thread.start()
        thread.run_soon(failing(error))
        eventually(lambda: str(error) in caplog.text, "the log has why")
        thread.run_soon(is_done.set)
        assert is_done.wait(TIMEOUT)


def test_pages_that_cannot_be_read_end_the_thread(inbox: Inbox) -> None:
    with maintained(inbox) as thread:
        thread.start()
        thread.run_soon(failing(UnreadableLedgerError("its pages cannot be read")))
        eventually(lambda: not thread.is_alive, "the daemon sees that it has ended")

    assert inbox.ledger.repairer.is_damaged


def _ignore(ids: Sequence[int]) -> None:
    """Take the ids of photos that became pending."""


def _damage_text(path: Path, page: int, old: bytes, new: bytes) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(old, (page - 1) * 4096)
    data[place : place + len(old)] = new
    path.write_bytes(data)
