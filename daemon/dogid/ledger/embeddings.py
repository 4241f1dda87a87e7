"""Storing embeddings, the inputs of the model's last layer: of the newest photos, and of all reviewed contents.

So a new last layer is learned and tried without decoding a photo again, and also where the photo has gone. All of it
happens inside a transaction of the ledger's.
"""

import sqlite3
from collections.abc import Sequence

from dogid.clock import Clock
from dogid.ledger.outcomes import Classified

MOST_RECENT = 10_000
"""Photos whose embeddings are kept unreviewed: 14 MB with 1,280 bytes each. With fewer, what a new model would change
is shown on fewer photos, and an older photo that is reviewed has to be decoded again; more take more of the disk."""
_TRIM_EVERY = 250
"""Embeddings that are stored between two deletions. With fewer, the photos that are counted for it cost more time; with
more, so many more are stored."""

_STORE_RECENT = "INSERT OR REPLACE INTO recent_embedding (photo_id, network, data) VALUES (?, ?, ?)"
_STORE_REVIEWED = """INSERT INTO reviewed_embedding (sha256, network, data, at) SELECT ?1, ?2, ?3, ?4
    WHERE EXISTS (SELECT 1 FROM review WHERE sha256 = ?1)
    ON CONFLICT (sha256, network) DO UPDATE SET data = excluded.data WHERE length(data) != length(excluded.data)"""
_KEEP = """INSERT OR IGNORE INTO reviewed_embedding (sha256, network, data, at)
    SELECT sha256, network, data, ?2 FROM photo JOIN recent_embedding ON photo_id = photo.id
    WHERE sha256 IS NOT NULL AND substr(sha256, 1, 16) = substr(?1, 1, 16) AND +sha256 = ?1"""
"""The plus keeps SQLite from replacing sha256 by its value in the expression, which the index is of."""
_TRIM = """DELETE FROM recent_embedding WHERE photo_id <=
    (SELECT photo_id FROM recent_embedding ORDER BY photo_id DESC LIMIT 1 OFFSET ?)"""


class EmbeddingWriter:
    """Embeddings on their way into the database."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._stored = _TRIM_EVERY  # since the last deletion, of which nothing is known at first

    def store(self, classified: Sequence[tuple[int, Classified]]) -> None:
        """Store the embeddings of outcomes that have one, each with the id of the photo's row; the oldest are deleted.

        Those of contents that were reviewed are stored a second time, by content.
        """
        recent = [(photo_id, outcome.network, outcome.embedding) for photo_id, outcome in classified
                  if outcome.embedding is not None]  # fmt: skip
        if not recent:
            return
        now = self._clock.wall_ms()
        self._db.executemany(_STORE_RECENT, recent)
        reviewed = ((outcome.sha256, outcome.network, outcome.embedding, now) for _, outcome in classified
                    if outcome.embedding is not None)  # fmt: skip
        self._db.executemany(_STORE_REVIEWED, reviewed)
        self._stored += len(recent)
        if self._stored > _TRIM_EVERY:
            self._db.execute(_TRIM, (MOST_RECENT,))
            self._stored = 0


def store_recent_embeddings(db: sqlite3.Connection, network: str, found: Sequence[tuple[int, bytes]]) -> None:
    """Store what a network made of photos, by the ids of their rows; the oldest beyond MOST_RECENT are deleted."""
    db.executemany(_STORE_RECENT, ((photo_id, network, data) for photo_id, data in found))
    db.execute(_TRIM, (MOST_RECENT,))


def keep_embeddings(db: sqlite3.Connection, sha256: str, now_ms: int) -> None:
    """Keep the embeddings of a content that is reviewed, as long as there are any."""
    db.execute(_KEEP, (sha256, now_ms))


def store_reviewed_embedding(db: sqlite3.Connection, sha256: str, network: str, data: bytes, now_ms: int) -> None:
    """Store the embedding that a network made of a reviewed content later: nothing happens where it is not reviewed."""
    db.execute(_STORE_REVIEWED, (sha256, network, data, now_ms))
