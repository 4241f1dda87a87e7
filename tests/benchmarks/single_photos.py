"""How soon a daemon answers photos that come one by one, at random moments, as those of cameras do."""

import contextlib
import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

from dogid.ledger.database import open_for_reading
from tests.benchmarks.daemon_lap import Renaming, wait_for
from tests.support.daemon import DaemonProcess

_RATE = 20.0  # photos per second


def time_singles(process: DaemonProcess, paths: Sequence[Path], renaming: Renaming, count: int) -> list[float]:
    """Rename photos into the inbox; return how long each took, in milliseconds. count: all that the inbox then has."""
    chance, came, due = random.Random(1), dict[bytes, float](), time.time()
    begun = time.perf_counter()
    for path in paths:
        due += chance.expovariate(_RATE)
        time.sleep(max(0.0, due - time.time()))
        came[os.fsencode(path.name)] = time.time() * 1000
        renaming.one(path)
    wait_for(process, count, begun)
    with contextlib.closing(open_for_reading(process.state)) as db:
        rows = db.execute("SELECT path, classified_at FROM photo").fetchall()
    return [max(0.0, at + 0.5 - came[bytes(path)]) for path, at in rows if bytes(path) in came]
