"""Answers of a replay that were not applied, by content: a replay that was stopped goes on from there.

They can all be made again: a damaged file, or one of another model, is replaced by an empty one.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dogid.ledger.outcomes import Timings

_FILE = "replay.db"
_FORMAT = 1
_COMMIT_SECONDS = 2.0  # a kill loses the answers since; less writes to the disk more often
_TABLES = """CREATE TABLE IF NOT EXISTS answer (
    sha256 TEXT PRIMARY KEY, scores TEXT NOT NULL, decode_ms REAL NOT NULL, invoke_ms REAL NOT NULL,
    total_ms REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS made_by (model TEXT NOT NULL) STRICT;"""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a model answered to a content."""

    scores: Mapping[str, float]
    """The best probabilities by label, best first."""
    timings: Timings


class AnswerStore:
    """The answers of one model, in a file of the state folder."""

    def __init__(self, state: Path, model: str) -> None:
        """Open the file of a state folder, or make it; model names the model and what it is fed.

        Raise sqlite3.OperationalError where it cannot be written.
        """
        self._path = state / _FILE
        try:
            self._db = self._open(model)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged
            self.remove()
            self._db = self._open(model)
        self._committed = time.monotonic()

    def _open(self, model: str) -> sqlite3.Connection:
        db = sqlite3.connect(self._path)
        try:
            with db:
                db.executescript(_TABLES)
                version, made_by = f"{_FORMAT} {model}", db.execute("SELECT model FROM made_by").fetchone()
                if made_by is None or made_by[0] != version:
                    db.execute("DELETE FROM answer")
                    db.execute("DELETE FROM made_by")
                    db.execute("INSERT INTO made_by VALUES (?)", (version,))
        except BaseException:
            db.close()
            raise
        return db

    def find(self, sha256: str) -> StoredAnswer | None:
        """Return the answer to a content; None where there is none yet."""
        try:
            row = self._db.execute("SELECT * FROM answer WHERE sha256 = ?", (sha256,)).fetchone()
            if row is None:
                return None
            _, scores, *stages = row
            return StoredAnswer(json.loads(scores), Timings(*stages))
        except (sqlite3.DatabaseError, ValueError):
            return None

    def add(self, sha256: str, answer: StoredAnswer) -> None:
        """Keep an answer. Raise sqlite3.OperationalError where there is no room."""
        times = answer.timings
        scores = json.dumps(answer.scores, ensure_ascii=False)
        values = (sha256, scores, times.decode, times.invoke, times.total)
        self._db.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?)", values)
        if time.monotonic() - self._committed > _COMMIT_SECONDS:
            self._db.commit()
            self._committed = time.monotonic()

    def close(self) -> None:
        """Write what was added, and close the file."""
        with contextlib.suppress(sqlite3.DatabaseError):  # no room: it is made again
            self._db.commit()
        self._db.close()

    def remove(self) -> None:
        """Remove the file of a closed store: its answers are applied, or damaged."""
        for ending in ("", "-journal"):
            with contextlib.suppress(FileNotFoundError):
                self._path.with_name(self._path.name + ending).unlink()
