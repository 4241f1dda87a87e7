"""Ids of photos, reserved on disk before they are given: none is given twice, also after a power cut."""

import contextlib
from collections.abc import Iterator

from dogid.ledger.transactions import WritingConnection

_RESERVED_IDS = 100
"""Ids that are reserved on disk at once, at least. Fewer cost a wait for the disk more often, more leave a larger gap
after the daemon was killed."""
_RESERVED_BATCHES = 10
"""Batches of files as large as the present one for which ids are reserved. Fewer, and a backlog waits for the disk more
often; more leave a larger gap after a kill: 1,000 ids with ten batches of a hundred files."""


class ReservedIds:
    """The ids that rows may get without a wait for the disk."""

    def __init__(self, connection: WritingConnection) -> None:
        """Begin without any: `skip_reserved` comes first."""
        self._connection = connection
        self._db = connection.db
        self._reserved = 0

    def skip_reserved(self) -> None:
        """At a start, inside a transaction: begin after what is reserved.

        An id may have been lost with its row in a power cut: it is not given to another photo.
        """
        self._db.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, (SELECT value FROM counter WHERE name = 'reserved'))"
            " WHERE name = 'photo'"
        )
        (self._reserved,) = self._db.execute("SELECT value FROM counter WHERE name = 'reserved'").fetchone()

    def give_back(self) -> None:
        """At the end, inside a transaction: what was reserved and not used is free again, so that there is no gap."""
        self._db.execute(
            "UPDATE counter SET value = (SELECT seq FROM sqlite_sequence WHERE name = 'photo') WHERE name = 'reserved'"
        )

    @contextlib.contextmanager
    def transaction(self, count: int) -> Iterator[None]:
        """A transaction for up to count new ids, on disk at once only where that many are not reserved."""
        with self._connection.lock:
            (last,) = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'photo'").fetchone()
            if last + count <= self._reserved:
                with self._connection.locked_transaction(durable=False):
                    yield
                return
            reserved = last + max(_RESERVED_IDS, count * _RESERVED_BATCHES)
            with self._connection.locked_transaction():
                self._db.execute("UPDATE counter SET value = ? WHERE name = 'reserved'", (reserved,))
                yield
            self._reserved = reserved
