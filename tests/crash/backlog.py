"""An inbox that keeps changing while a daemon is killed, and what must be true of it in the end."""

import os
import random
import sqlite3
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from dogid.ledger import queries
from dogid.ledger.audit import audit
from dogid.ledger.database import open_for_reading
from tests.support.expected_scores import expected_scores
from tests.support.photos import photo

_SIDE = 96
_KINDS = 12


@cache
def content(number: int) -> bytes:
    """One of a few contents: photos in several formats, and two that are none."""
    if number == 0:
        return b"no photo"
    if number == 1:
        return photo(1, size=(_SIDE, _SIDE))[:-400]
    return photo(number, ("JPEG", "PNG", "WEBP")[number % 3], size=(_SIDE, _SIDE))


@cache
def outcome(number: int) -> tuple[str, Any]:
    """The status that a content must get, and its scores or error code, as an undisturbed machine gives them."""
    if number in (0, 1):
        return "failed", "unsupported" if number == 0 else "truncated"
    return "classified", expected_scores(content(number))


@dataclass(slots=True)
class Backlog:
    """Files in an inbox, by name, with the number of their content."""

    inbox: Path
    random: random.Random
    files: dict[str, int] = field(default_factory=dict)
    made: int = 0

    def add(self, count: int) -> None:
        """Add files, in folders too."""
        for _ in range(count):
            self.made += 1
            folder = self.random.choice(("", "", "a/", "a/b/"))
            self._write(f"{folder}{self.made:05}.jpg", self.random.randrange(_KINDS))

    def change(self) -> None:
        """Do one of what users do to a file that is there."""
        name = self.random.choice(sorted(self.files))
        number = self.files[name]
        path = self.inbox / name
        match self.random.randrange(4):
            case 0:
                self._write(name, (number + 1) % _KINDS)
            case 1:
                self.made += 1
                renamed = f"{self.made:05}-renamed.jpg"
                path.rename(self.inbox / renamed)
                self.files[renamed] = self.files.pop(name)
            case 2:
                os.utime(path, (self.made, self.made))
            case _:
                path.unlink()
                del self.files[name]

    def _write(self, name: str, number: int) -> None:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(number))
        self.files[name] = number

    def faults(self, state: Path) -> list[str]:
        """Return what is wrong with a ledger that has had the time to answer everything."""
        db = open_for_reading(state)
        try:
            db.execute("BEGIN")  # all of one moment: the daemon may be at work
            return [*_faults_of_ledger(db), *self._faults_of_results(db), *_faults_of_audit(db, self.inbox)]
        finally:
            db.close()

    def _faults_of_results(self, db: sqlite3.Connection) -> list[str]:
        found: dict[str, list[dict[str, Any]]] = {}
        for result in queries.list_results(db, queries.ResultFilter(limit=1_000_000)):
            found.setdefault(result["file"], []).append(result)
        faults = [f"{name}: {len(results)} current results" for name, results in found.items() if len(results) != 1]
        for name, number in self.files.items():
            results = found.get(name)
            if results is None:
                faults.append(f"{name}: lost")
                continue
            result = results[0]
            got = result["status"], result["error"]["code"] if result["error"] else result["scores"]
            if got != outcome(number):
                faults.append(f"{name}: {got} instead of {outcome(number)}")
        return faults

    def is_answered(self, state: Path) -> bool:
        """Whether every file as it is now has its answer, as far as the ledger knows."""
        db = open_for_reading(state)
        try:
            rows = db.execute("SELECT path, inode, size, mtime_ns, state FROM photo WHERE state != 'superseded'")
            known = {bytes(row["path"]).decode(): row for row in rows}
            return all(_is_answered(known.get(name), self.inbox / name) for name in self.files)
        finally:
            db.close()


def _is_answered(row: sqlite3.Row | None, path: Path) -> bool:
    status = path.stat()
    is_current = row is not None and (row["size"], row["mtime_ns"]) == (status.st_size, status.st_mtime_ns)
    return is_current and row is not None and row["state"] in ("classified", "failed")


def _faults_of_ledger(db: sqlite3.Connection) -> list[str]:
    verdicts = [str(row[0]) for row in db.execute("PRAGMA integrity_check")]
    faults = [] if verdicts == ["ok"] else [f"integrity: {verdict}" for verdict in verdicts]
    faults += [f"foreign key: {tuple(row)}" for row in db.execute("PRAGMA foreign_key_check")]
    counted = dict(db.execute("SELECT state, count(*) FROM photo GROUP BY state").fetchall())
    (absent,) = db.execute("SELECT count(*) FROM photo WHERE state = 'classified' AND absent_at > 0").fetchone()
    counted |= {"absent": absent} if absent else {}
    tally = {state: rows for state, rows in db.execute("SELECT state, rows FROM tally") if rows}
    return faults if counted == tally else [*faults, f"tally {tally} instead of {counted}"]


def _faults_of_audit(db: sqlite3.Connection, inbox: Path) -> list[str]:
    found = audit(db, inbox)
    return [] if found.is_clean else [f"audit: lost {found.lost}, twice {found.counted_twice}"]
