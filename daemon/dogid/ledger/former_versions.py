"""Versions of a photo before the current one: how they are joined to it, and how many are kept.

All of it happens inside a transaction of the ledger's.
"""

import sqlite3

_MOST_DELETED = 100
"""Former versions that are deleted at once. Fewer and an older ledger takes longer to shrink to `keep_versions`, more
and a photo waits longer while it does."""

_DELETE_OLD_VERSIONS = """DELETE FROM photo WHERE id IN (
    SELECT id FROM photo WHERE history_id = :history AND state = 'superseded' AND id <= (
        SELECT id FROM photo WHERE history_id = :history AND state = 'superseded' ORDER BY id DESC LIMIT 1 OFFSET :keep
    ) ORDER BY id LIMIT :most)"""


class FormerVersions:
    """Makes rows former versions of others."""

    def __init__(self, db: sqlite3.Connection, keep: int) -> None:
        """keep: how many are kept of a photo, 0 for all."""
        self.keep = keep
        self._db = db

    def join(self, former: int, successor: int) -> None:
        """Make former a version of successor's photo, with the versions before it, as many as are kept."""
        histories = dict(
            self._db.execute("SELECT id, history_id FROM photo WHERE id IN (?, ?)", (former, successor)).fetchall()
        )
        own = histories[successor]  # only of a photo that was renamed to the former one's name
        history = histories[former] or own or former
        if own not in (None, history):
            self._db.execute("UPDATE photo SET history_id = ? WHERE history_id = ?", (history, own))
        self._db.execute("UPDATE photo SET history_id = ? WHERE id = ?", (history, successor))
        self._db.execute(
            "UPDATE photo SET state = 'superseded', history_id = ?, superseded_by = ? WHERE id = ?",
            (history, successor, former),
        )
        if self.keep:
            self._db.execute(_DELETE_OLD_VERSIONS, {"history": history, "keep": self.keep, "most": _MOST_DELETED})
