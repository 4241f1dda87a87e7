"""`dogid backup` and `dogid restore`: of a ledger alone, and beside a daemon that works."""

import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from dogid.backup.archive import MANIFEST
from dogid.backup.restore import restore_backup
from dogid.backup.write import write_backup
from dogid.clock import Clock
from dogid.daemon.model_switch import ModelSwitch
from dogid.errors import DogidError, UsageError
from dogid.ledger.database import FILE_NAME
from dogid.ledger.review_writer import say_label
from dogid.ledger.schema import MIGRATIONS
from dogid.settings import Settings
from dogid.shelf.folder import put_on_shelf
from dogid.shelf.open_model import find_model
from tests.backup.state_folder import SHELF, fill, flip, ids, make_backup, pack, restore
from tests.conftest import MakeDaemon
from tests.ledger.ledger_folder import Inbox
from tests.shelf.models import make_model
from tests.support.photos import photo, put


@pytest.fixture
def kept(tmp_path: Path) -> Inbox:
    """A ledger with three results, and a model on the shelf."""
    folder = Inbox(tmp_path)
    fill(folder, "a.jpg", "b.jpg", "c.jpg")
    put(folder.state / SHELF, b"a model")
    return folder


def test_backup_brings_everything_back(kept: Inbox, tmp_path: Path) -> None:
    kept.ledger.review([1, 2], say_label("wolf", "anna"))
    before = {name: [tuple(row) for row in kept.db.execute(f"SELECT * FROM {name}")] for name in ("photo", "review")}
    manifest = write_backup(kept.state, tmp_path / "dogid.zip", force=False, on_progress=lambda _: None)
    kept.close()
    shutil.rmtree(kept.state)

    restored = restore(tmp_path / "dogid.zip", kept.state)

    assert (manifest.results, restored.kept) == (3, None)
    assert (kept.state / SHELF).read_bytes() == b"a model"
    kept.open()
    assert {name: [tuple(row) for row in kept.db.execute(f"SELECT * FROM {name}")] for name in before} == before


def test_restored_state_has_the_model_that_was_active(kept: Inbox, tmp_path: Path) -> None:
    chosen = Settings(state=kept.state)
    switch = ModelSwitch(kept.state, Clock(), lambda: chosen, lambda _, commit: commit())
    for name in ("before", "active"):
        switch.activate(put_on_shelf(kept.state, name, make_model(tmp_path / name).read_bytes(), "a test").name)
    backup = make_backup(kept.state, tmp_path)
    switch.activate("dogid")
    kept.close()

    restored = restore(backup, kept.state)

    assert restored.manifest.models == 3  # what is noted beside them is no model
    found = find_model(chosen)
    assert (found.path.name, found.problem) == ("active.tflite", None)
    switch.roll_back()
    assert find_model(chosen).path.name == "before.tflite"


def test_restore_keeps_what_was_there_and_gives_no_id_twice(kept: Inbox, tmp_path: Path) -> None:
    backup = make_backup(kept.state, tmp_path)
    fill(kept, *(f"{number}.jpg" for number in range(150)))
    last = max(ids(kept))
    put(kept.state / SHELF, b"another model")
    kept.close()

    restored = restore(backup, kept.state)

    assert restored.kept is not None
    with sqlite3.connect(restored.kept / FILE_NAME) as db:
        assert db.execute("SELECT count(*) FROM photo").fetchone()[0] == 153
    db.close()
    assert (restored.kept / SHELF).read_bytes() == b"another model"
    assert (kept.state / SHELF).read_bytes() == b"a model"
    kept.open()
    assert ids(kept) == [1, 2, 3]
    put(kept.folder / "new.jpg", b"new")
    kept.observe("new.jpg")
    assert kept.job().id > last


def test_damaged_ledger_can_be_replaced_by_a_backup(kept: Inbox, tmp_path: Path) -> None:
    backup = make_backup(kept.state, tmp_path)
    kept.close()
    flip(kept.state / FILE_NAME, 0, 20, 5000)

    restore(backup, kept.state)

    kept.open()
    assert kept.ledger.moved_aside is None
    assert ids(kept) == [1, 2, 3]


def test_damaged_ledger_is_not_backed_up_as_a_whole_one(kept: Inbox, tmp_path: Path) -> None:
    kept.close()
    path = kept.state / FILE_NAME
    flip(path, *range(path.stat().st_size - 4096, path.stat().st_size))

    with pytest.raises(DogidError, match="damaged"):
        make_backup(kept.state, tmp_path)
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob(".*"))


def test_existing_file_is_replaced_only_by_force(kept: Inbox, tmp_path: Path) -> None:
    target = put(tmp_path / "mine.txt", b"mine")
    with pytest.raises(UsageError, match="--force"):
        write_backup(kept.state, target, force=False, on_progress=lambda _: None)
    assert target.read_bytes() == b"mine"

    write_backup(kept.state, target, force=True, on_progress=lambda _: None)
    assert zipfile.is_zipfile(target)


def test_dry_run_changes_nothing(kept: Inbox, tmp_path: Path) -> None:
    backup = make_backup(kept.state, tmp_path)
    kept.close()
    before = {path: path.read_bytes() for path in kept.state.rglob("*") if path.is_file() and path.suffix != ".lock"}

    restored = restore_backup(backup, kept.state, dry_run=True, on_progress=lambda _: None)
    elsewhere = restore_backup(backup, tmp_path / "other", dry_run=True, on_progress=lambda _: None)

    assert restored.kept is elsewhere.kept is None
    assert {path: path.read_bytes() for path in before} == before
    assert not (tmp_path / "other").exists()


def test_backup_of_a_newer_dogid_is_refused(kept: Inbox, tmp_path: Path) -> None:
    newer = len(MIGRATIONS) + 1
    kept.ledger.connection.db.execute("INSERT OR REPLACE INTO counter VALUES ('schema', ?)", (newer,))
    kept.close()
    backup = pack(kept.state / FILE_NAME, tmp_path / "unclear.zip")
    with pytest.raises(DogidError, match="the ledger is damaged"):
        make_backup(kept.state, tmp_path)
    with closing(sqlite3.connect(kept.state / FILE_NAME)) as db:
        db.execute(f"PRAGMA user_version = {newer}")
    newer_backup = pack(kept.state / FILE_NAME, tmp_path / "newer.zip")
    with pytest.raises(UsageError, match=r"state/ledger\.db: written by a newer dogid"):
        make_backup(kept.state, tmp_path)

    with pytest.raises(UsageError, match="newer dogid"):
        restore(newer_backup, kept.state)
    with pytest.raises(DogidError, match="no whole backup"):  # the two notes of its version disagree
        restore(backup, kept.state)


def test_backup_beside_a_working_daemon_is_of_one_moment(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    for number in range(40):
        put(inbox / f"{number}.jpg", photo(number))
    daemon = make_daemon().start()
    done = daemon.command("backup", str(tmp_path / "first.zip"), "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    refused = daemon.command("restore", str(tmp_path / "first.zip"))
    assert (refused.returncode, "stop it first" in refused.stderr) == (2, True)
    daemon.wait_for_all_answers(40)
    assert daemon.command("backup", str(tmp_path / "second.zip")).returncode == 0
    results = daemon.results_by_name()
    daemon.stop()

    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        assert json.loads(archive.read(MANIFEST))["results"] == document["results"] <= 40
        archive.extract(FILE_NAME, tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        answered = db.execute("SELECT count(*), max(seq) FROM photo WHERE state = 'classified'").fetchone()
        assert db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()[0] == (answered[1] or 0)
        assert answered[0] == document["results"]
    db.close()
    done = daemon.command("restore", str(tmp_path / "second.zip"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"] == 40
    put(daemon.state / ".restore-killed/ledger.db", b"half")
    daemon.start()
    assert not list(daemon.state.glob(".restore*"))
    daemon.wait_for_clean_audit(40)
    assert daemon.results_by_name() == results
