"""Answers of a replay that were not applied, by content: a replay that was stopped goes on from there.

They can all be made again: a damaged file, or one of another model, is replaced by an empty one.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import ConflictError
from dogid.ledger.outcomes import Timings
from dogid.system.file_lock import holding_file_lock

_FILE = "replay.db"
_LOCK = "replay.lock"
_FORMAT = 2
_COMMIT_SECONDS = 2.0  # a kill loses the answers since; less writes to the disk more often
_TABLES = f"""DROP TABLE IF EXISTS answer; DROP TABLE IF EXISTS made_by;
CREATE TABLE answer (model TEXT NOT NULL, sha256 TEXT NOT NULL, scores TEXT NOT NULL, decode_ms REAL NOT NULL,
    invoke_ms REAL NOT NULL, total_ms REAL NOT NULL, PRIMARY KEY (model, sha256)) STRICT, WITHOUT ROWID;
PRAGMA user_version = {_FORMAT};"""
_FIND = "SELECT scores, decode_ms, invoke_ms, total_ms FROM answer WHERE model = ? AND sha256 = ?"


@contextlib.contextmanager
def replaying_alone(state: Path) -> Iterator[None]:
    """Let no other replay begin in a state folder. Raise ConflictError where one is under way, OSError."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding_file_lock(state / _LOCK))
        except BlockingIOError:
            raise ConflictError(f"{state}: another replay is under way; wait for its end") from None
        yield


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a model answered to a content."""

    scores: Mapping[str, float]
    """The best probabilities by label, best first."""
    timings: Timings


class AnswerStore:
    """The answers of one model, in a file of the state folder. Who uses it is the only one: `replaying_alone`."""

    def __init__(self, state: Path, model: str) -> None:
        """Open the file of a state folder, or make it; model names the model and what it is fed.

        Raise sqlite3.OperationalError where it cannot be written.
        """
        self._path, self._model = state / _FILE, model
        try:
            self._db = self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged
            self.remove()
            self._db = self._open()
        self._committed = time.monotonic()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path)
        try:
            with db:
                if db.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
                    db.executescript(_TABLES)
                db.execute("DELETE FROM answer WHERE model != ?", (self._model,))
        except BaseException:
            db.close()
            raise
        return db

    def find(self, sha256: str) -> StoredAnswer | None:
        """Return the answer to a content; None where there is none yet."""
        try:
            row = self._db.execute(_FIND, (self._model, sha256)).fetchone()
            if row is None:
                return None
            scores, *stages = row
            return StoredAnswer(json.loads(scores), Timings(*stages))
        except (sqlite3.DatabaseError, ValueError):
            return None

    def add(self, sha256: str, answer: StoredAnswer) -> None:
        """Keep an answer. Raise sqlite3.OperationalError where there is no room."""
        times = answer.timings
        scores = json.dumps(answer.scores, ensure_ascii=False)
        values = (self._model, sha256, scores, times.decode, times.invoke, times.total)
        self._db.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?, ?, ?)", values)
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
