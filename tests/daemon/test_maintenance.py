"""The thread that maintains the ledger makes damaged indexes anew by itself, after the daemon was killed."""

import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon.maintenance_thread import MaintenanceThread
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.retention import Retention
from tests.ledger.ledger_folder import Inbox, add_classified
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


def _ignore(ids: Sequence[int]) -> None:
    """Take the ids of photos that became pending."""


def _damage_text(path: Path, page: int, old: bytes, new: bytes) -> None:
    data = bytearray(path.read_bytes())
    place = data.index(old, (page - 1) * 4096)
    data[place : place + len(old)] = new
    path.write_bytes(data)
