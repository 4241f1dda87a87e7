"""How soon photos are answered while they keep coming, at more and more of what the daemon can take.

Photos are renamed into the inbox at random moments (a Poisson process, as of independent cameras) at a given rate. What
is measured is the time from before the rename until the result was about to be committed, in the ledger's own
milliseconds: the commit itself, and asking for the result, come on top.
"""

import contextlib
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.ledger.database import open_for_reading
from tests.benchmarks.daemon_lap import daemon, renamed_into, wait_for
from tests.benchmarks.responsiveness import percentile

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Of the photos per second that the daemon takes from a backlog."""
_REST_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class AtLoad:
    """Latencies of one rate, in milliseconds."""

    share: float
    p50: float
    p99: float


def latency_by_load(paths: Sequence[Path], capacity: float, seconds: float) -> list[AtLoad]:
    """Let photos come for so many seconds at each share of capacity (photos per second)."""
    return [_at(share, paths[: max(10, round(share * capacity * seconds))], share * capacity) for share in SHARES]


def _at(share: float, paths: Sequence[Path], rate: float) -> AtLoad:
    chance = random.Random(1)
    with daemon(paths[0].parent) as process, renamed_into(process.inbox, paths) as renaming:
        time.sleep(_REST_SECONDS)
        came: dict[bytes, float] = {}
        begun = due = time.time()
        for path in paths:
            due += chance.expovariate(rate)
            time.sleep(max(0.0, due - time.time()))
            came[os.fsencode(path.name)] = time.time() * 1000
            renaming.one(path)
        wait_for(process, len(paths), time.perf_counter() - (time.time() - begun))
        with contextlib.closing(open_for_reading(process.state)) as db:
            rows = db.execute("SELECT path, classified_at FROM photo").fetchall()
    # the ledger's milliseconds are cut off
    took = [max(0.0, row["classified_at"] + 0.5 - came[bytes(row["path"])]) for row in rows]
    return AtLoad(share, percentile(took, 50), percentile(took, 99))
