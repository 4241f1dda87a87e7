"""Results that were made elsewhere, brought into the ledger: of archives, which batches have classified.

They come before all that the daemon answers: their sequence numbers are negative, so that outputs and rules, which
follow the ledger by these numbers, do not take an archive for what happens now. All inside transactions of the
caller's.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.inbox.scan import Version
from dogid.ledger.counters import FIRST_IMPORTED_SEQ, LAST_IMPORTED_SEQ
from dogid.ledger.embeddings import store_recent_embeddings, store_reviewed_embedding
from dogid.ledger.former_versions import FormerVersions
from dogid.ledger.outcomes import Timings

_COLUMNS = (
    "path", "inode", "size", "mtime_ns", "ctime_ns", "state", "seen_at", "classified_at", "model_id", "label", "score",
    "scores", "sha256", "width", "height", "decode_ms", "invoke_ms", "total_ms", "error_code", "error_message", "seq",
    "taken_at", "absent_at",
)  # fmt: skip
_INSERT = f"INSERT INTO photo ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
_ANSWER = f"UPDATE photo SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE id = ?"  # noqa: S608
_CURRENT = (
    "SELECT id, path, state, sha256, model_id, error_code, classified_at FROM photo"
    " WHERE path IN ({}) AND state != 'superseded'"
)
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class ImportedPhoto:
    """A result that was made elsewhere."""

    path: bytes
    """Relative to the inbox; also of a photo that is not there."""
    version: Version
    """Of the file; where it is not in the inbox, only its size and date mean something."""
    present: bool
    """Whether this version is in the inbox."""
    classified_ms: int
    """When it was answered, in milliseconds since 1970."""
    scores: dict[str, float]
    """The best probabilities by label, best first; none where it failed."""
    sha256: str | None
    width: int | None
    """Pixels, upright; and so is the height."""
    height: int | None
    timings: Timings | None
    taken_at: str | None
    """By its EXIF: ISO 8601, with an offset where it has one."""
    error: tuple[PhotoCode, str] | None
    """Code and message; None where it has an answer."""
    embedding: bytes | None = None


class ImportCounts(NamedTuple):
    """What became of imported results."""

    new: int = 0
    replaced: int = 0
    """In place of an older answer, which is in the photo's history."""
    known: int = 0
    """The ledger had this very answer, or a newer one."""

    def plus(self, other: "ImportCounts") -> "ImportCounts":
        """Return the sums."""
        return ImportCounts(*(one + more for one, more in zip(self, other, strict=True)))


class ImportWriter:
    """Results on their way into the ledger."""

    def __init__(self, db: sqlite3.Connection, clock: Clock, model_id: int, network: str | None) -> None:
        """model_id: whose answers they are; network: the SHA-256 of the one that gave the embeddings, if any."""
        self._db = db
        self._clock = clock
        self._model_id = model_id
        self._network = network
        self._former_versions = FormerVersions(db, 0)
        query = "SELECT coalesce(max(seq), ?) FROM photo WHERE seq < ?"
        (self._seq,) = db.execute(query, (FIRST_IMPORTED_SEQ, LAST_IMPORTED_SEQ)).fetchone()

    def write(self, photos: Sequence[ImportedPhoto], *, are_recent: bool) -> ImportCounts:
        """Write results, of one path the newest; with are_recent, embeddings are kept as of the newest photos."""
        given = len(photos)
        photos = list({photo.path: photo for photo in sorted(photos, key=lambda photo: photo.classified_ms)}.values())
        current = self._find_current([photo.path for photo in photos])
        new = [photo for photo in photos if photo.path not in current]
        (last,) = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'photo'").fetchone()
        self._db.executemany(_INSERT, (self._values(photo) for photo in new))
        self._store_embeddings(dict(enumerate(new, last + 1)) if are_recent else {}, photos)
        replaced = 0
        for photo in photos:
            row = current.get(photo.path)
            if row is not None and self._is_outdated(row, photo):
                self._replace(row, photo)
                replaced += 1
        return ImportCounts(len(new), replaced, given - len(new) - replaced)

    def _find_current(self, paths: Sequence[bytes]) -> dict[bytes, sqlite3.Row]:
        rows = self._db.execute(_CURRENT.format(",".join("?" * len(paths))), paths)
        return {bytes(row["path"]): row for row in rows}

    def _is_outdated(self, row: sqlite3.Row, photo: ImportedPhoto) -> bool:
        """Whether a current row is to give way."""
        if row["state"] == "pending":
            return photo.present
        is_same = row["sha256"] == photo.sha256 and row["model_id"] == self._model_id and photo.error is None
        return not is_same and (row["classified_at"] or 0) < photo.classified_ms

    def _replace(self, row: sqlite3.Row, photo: ImportedPhoto) -> None:
        if row["state"] == "pending":
            self._db.execute(_ANSWER, (*self._values(photo), row["id"]))
            return
        self._db.execute("UPDATE photo SET state = 'superseded' WHERE id = ?", (row["id"],))
        cursor = self._db.execute(_INSERT, self._values(photo))
        self._former_versions.join(row["id"], int(cursor.lastrowid or 0))

    def _values(self, photo: ImportedPhoto) -> tuple[object, ...]:
        """Return a result's columns, with the next number."""
        self._seq += 1
        now = self._clock.wall_ms()
        label, score = next(iter(photo.scores.items()), (None, None))
        code, message = photo.error or (None, None)
        return (
            photo.path, *photo.version, "classified" if photo.error is None else "failed", now, photo.classified_ms,
            self._model_id if photo.error is None else None, label, score,
            _as_json(photo.scores) if photo.error is None else None, photo.sha256, photo.width, photo.height,
            *(photo.timings or (None, None, None)), code, message, self._seq, photo.taken_at,
            None if photo.present else now,
        )  # fmt: skip

    def _store_embeddings(self, by_id: dict[int, ImportedPhoto], photos: Sequence[ImportedPhoto]) -> None:
        if self._network is None:
            return
        found = [(number, photo.embedding) for number, photo in by_id.items() if photo.embedding is not None]
        if found:
            store_recent_embeddings(self._db, self._network, found)
        now = self._clock.wall_ms()
        for photo in photos:  # also of known ones: they may have been reviewed since
            if photo.embedding is not None and photo.sha256 is not None:
                store_reviewed_embedding(self._db, photo.sha256, self._network, photo.embedding, now)
