"""How the last scan of the inbox went, and the log lines where that changes."""

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence

from dogid.clock import Clock, iso_utc
from dogid.file_names import one_line
from dogid.status import WatchStatus

log = logging.getLogger(__name__)

_MOST_LINKS = 20  # logged of one scan; raising it lets a folder of links fill the log, lowering it names fewer


class ScanStatus:
    """What scans have found: until another one ends, or something keeps them from finding or recording photos."""

    def __init__(self, clock: Clock, mode: str, reason: str) -> None:
        """Set up for an inbox that was not scanned yet; mode and reason: see `WatchStatus`."""
        self._clock = clock
        self._links: frozenset[bytes] = frozenset()
        self.watch_status = WatchStatus(mode, reason, None, None, 0, None)

    def note_scan(self, files: int, seconds: float | None, problem: str | None) -> None:
        """Note a scan that reached its end, with the folders that it could not read."""
        self._log_change(problem, logging.WARNING)
        ended = iso_utc(self._clock.wall_ms())
        self.watch_status = dataclasses.replace(
            self.watch_status,
            last_scan=ended, last_scan_seconds=seconds, files=files, problem=problem, blocked_since=None,
        )  # fmt: skip

    def note_blocked(self, problem: str, level: int) -> None:
        """Note that no photo can be found or recorded; level: of the log line."""
        self._log_change(problem, level)
        since = self.watch_status.blocked_since
        self.watch_status = dataclasses.replace(
            self.watch_status,
            last_scan_seconds=None, problem=problem, blocked_since=time.monotonic() if since is None else since,
        )  # fmt: skip

    def note_links(self, links: Sequence[bytes], summary: str | None, describe: Callable[[bytes], str | None]) -> None:
        """Note the links out of the inbox that a scan left out; log those that the scan before did not meet.

        summary: how many they are, with an example; describe returns the problem of one, None where it is gone.
        """
        self.watch_status = dataclasses.replace(self.watch_status, links_out=summary)
        new = [path for path in links if path not in self._links]
        self._links = frozenset(links)
        problems = [problem for path in new if (problem := describe(path))]
        for problem in problems[:_MOST_LINKS]:
            log.warning("%s", one_line(problem))
        if len(problems) > _MOST_LINKS:
            log.warning("%d more links lead out of the inbox: dogid check", len(problems) - _MOST_LINKS)

    def _log_change(self, problem: str | None, level: int) -> None:
        before = self.watch_status.problem
        if problem and problem != before:
            log.log(level, "%s", one_line(problem))
        elif before and not problem:
            log.info("solved: %s", one_line(before))
