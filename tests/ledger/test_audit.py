"""What the audit finds where a file has, or had, several names; and what that costs."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.inbox.scan import find_file, scan
from dogid.ledger.audit import SAME_FILE, Audit, audit
from dogid.ledger.database import FILE_NAME, open_for_reading
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Classified, Timings
from tests.support.photos import put
from tests.support.privileges import without_override


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty inbox, whose ledger each test opens when its files are there."""
    made = tmp_path / "inbox"
    made.mkdir()
    return made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def answer_all(inbox: Path, state: Path) -> None:
    """Have every file of the inbox classified."""
    ledger = Ledger(state, lambda path: find_file(inbox, path), Clock())
    model = ledger.register_model("m.tflite", "00", ("cat",))
    ledger.observe(list(scan(inbox)))
    jobs = ledger.claim(1000, ())
    digest = sha256(b"photo").hexdigest()
    ledger.record([Classified(job, job.version, digest, 1, 1, {"cat": 1.0}, model, Timings(1, 1, 1)) for job in jobs])
    ledger.close()


def linked(inbox: Path, count: int) -> None:
    """Give one photo that many names."""
    first = put(inbox / "0.jpg", b"photo")
    for number in range(1, count):
        os.link(first, inbox / f"{number}.jpg")


def audited(inbox: Path, state: Path) -> tuple[Audit, int]:
    """Audit; return also how many questions the database was asked."""
    db = open_for_reading(state)
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    found = audit(db, inbox)
    db.close()
    return found, len(asked)


def test_other_names_are_found_by_inode(state: Path) -> None:
    Ledger(state, lambda _: None, Clock()).close()
    db = open_for_reading(state)
    plan = " ".join(str(row["detail"]) for row in db.execute(f"EXPLAIN QUERY PLAN {SAME_FILE}", (1, 1, 1, 1, "00")))
    db.close()

    assert "USING INDEX photo_inode (inode=?)" in plan


def test_missed_rename_counts_twice(folder: Path, state: Path) -> None:
    linked(folder, 2)
    answer_all(folder, state)
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as db:
        db.execute("DELETE FROM event")  # as if the two names had never been seen together
        db.commit()
    assert audited(folder, state)[0].is_clean
    (folder / "0.jpg").unlink()

    found, _ = audited(folder, state)

    assert found.counted_twice == (b"1.jpg",)
    assert found.lost == ()
    assert not found.is_clean


def test_one_of_two_linked_names_may_go(folder: Path, state: Path) -> None:
    linked(folder, 3)
    answer_all(folder, state)
    for gone in ("0.jpg", "2.jpg"):
        (folder / gone).unlink()

        assert audited(folder, state)[0].is_clean


def test_file_with_hundreds_of_names_costs_few_queries_each(folder: Path, state: Path) -> None:
    linked(folder, 200)
    answer_all(folder, state)

    found, asked = audited(folder, state)
    assert found.is_clean
    assert found.photos == 200
    assert asked < 3 * 200

    for number in range(100):
        (folder / f"{number}.jpg").unlink()
    found, asked = audited(folder, state)
    assert found.is_clean
    assert found.photos == 100
    assert asked < 3 * 100


def test_photo_that_cannot_be_compared_is_not_accounted_for(folder: Path, state: Path) -> None:
    photo = put(folder / "a.jpg", b"photo")
    answer_all(folder, state)
    photo.chmod(0)  # which changes the ctime, too
    code = (
        "import pathlib, sys; from dogid.ledger.audit import audit; from dogid.ledger.database import open_for_reading;"
        "print(audit(open_for_reading(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2])).lost)"
    )
    command = [*without_override(), sys.executable, "-c", code, str(state), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)

    assert result.stdout == "(b'a.jpg',)\n"
