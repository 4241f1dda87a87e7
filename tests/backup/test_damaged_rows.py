"""A ledger with a damaged row or index is repaired in its backup, and when an older backup of it is restored."""

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from dogid.backup.write import write_backup
from dogid.ledger.database import FILE_NAME
from tests.backup.state_folder import fill, make_backup, pack, restore
from tests.ledger.ledger_folder import Inbox

_PAGE = 4096


@pytest.fixture
def damaged(tmp_path: Path) -> Inbox:
    """A closed ledger with two results; in the index, the name of the first one is damaged."""
    inbox = Inbox(tmp_path)
    fill(inbox, "first.jpg", "second.jpg")
    (page,) = inbox.db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'photo_current'").fetchone()
    inbox.close()
    data = bytearray((inbox.state / FILE_NAME).read_bytes())
    at = data.index(b"first.jpg", (page - 1) * _PAGE)
    data[at + 1] ^= 1
    (inbox.state / FILE_NAME).write_bytes(data)
    return inbox


def is_sound(ledger: Path) -> bool:
    with closing(sqlite3.connect(ledger)) as db:
        return bool(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def paths(ledger: Path) -> list[bytes]:
    with closing(sqlite3.connect(ledger)) as db:
        return [path for (path,) in db.execute("SELECT path FROM photo ORDER BY id")]


def test_backup_of_a_damaged_index_can_be_restored(damaged: Inbox, tmp_path: Path) -> None:
    backup = make_backup(damaged.state, tmp_path / "to")

    restore(backup, tmp_path / "other")

    assert is_sound(tmp_path / "other" / FILE_NAME)
    assert paths(tmp_path / "other" / FILE_NAME) == [b"first.jpg", b"second.jpg"]


def test_file_decides_between_two_names_in_a_backup(damaged: Inbox, tmp_path: Path) -> None:
    ledger = damaged.state / FILE_NAME
    # now the row is what is damaged
    data = ledger.read_bytes().replace(b"first.jpg", b"fhrst?jpg").replace(b"fhrst.jpg", b"first.jpg")
    ledger.write_bytes(data.replace(b"fhrst?jpg", b"fhrst.jpg"))

    write_backup(damaged.state, tmp_path / "b.zip", force=False, on_progress=lambda _: None, inbox=damaged.folder)

    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extract(FILE_NAME, tmp_path)
    assert paths(tmp_path / FILE_NAME) == [b"first.jpg", b"second.jpg"]


def test_restore_repairs_a_damaged_index(damaged: Inbox, tmp_path: Path) -> None:
    backup = pack(damaged.state / FILE_NAME, tmp_path / "old.zip")

    restore(backup, tmp_path / "other")

    assert is_sound(tmp_path / "other" / FILE_NAME)
    assert paths(tmp_path / "other" / FILE_NAME) == [b"first.jpg", b"second.jpg"]
