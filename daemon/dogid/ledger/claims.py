"""Which pending photos are being read, and whether their files were written meanwhile."""

from collections.abc import Iterable, Set

from dogid.ledger.outcomes import Job


class Claims:
    """Pending photos that were claimed, and have no outcome yet. Used under the lock of the ledger's connection."""

    def __init__(self) -> None:
        """Begin without any."""
        self._claimed: set[int] = set()
        self.written: set[int] = set()
        """Those of them whose files were closed after writing since then."""

    def add(self, jobs: list[Job]) -> list[Job]:
        """Note that files are read from now on: what was written to them before is read, too. Return the jobs."""
        ids = {job.id for job in jobs}
        self._claimed |= ids
        self.written -= ids
        return jobs

    def note_written(self, ids: Iterable[int]) -> None:
        """Note that the files of photos were closed after writing."""
        self.written |= self._claimed.intersection(ids)

    def release(self, ids: Set[int]) -> None:
        """Forget photos, whose outcomes are on disk."""
        self._claimed -= ids
        self.written -= ids
