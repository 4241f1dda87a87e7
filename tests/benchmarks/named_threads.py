"""What each thread of a daemon has used: Python 3.11 does not give the kernel its threads' names, this does."""

import contextlib
import os
from collections import defaultdict
from pathlib import Path

from tests.support.daemon import environment

_SITE = """
import ctypes, threading

_prctl, _run = ctypes.CDLL(None).prctl, threading.Thread._bootstrap_inner

def _run_named(self):
    _prctl(15, self.name.encode()[:15], 0, 0, 0)  # PR_SET_NAME
    _run(self)

threading.Thread._bootstrap_inner = _run_named
"""


def name_threads(folder: Path) -> dict[str, str]:
    """Return the environment in which a daemon names its threads for the kernel; folder: for a file of it."""
    (folder / "sitecustomize.py").write_text(_SITE)
    return {"PYTHONPATH": os.pathsep.join([str(folder), environment()["PYTHONPATH"]])}


def thread_seconds(pid: int) -> dict[str, float]:
    """Return the processor time of a process by names of its threads, in seconds."""
    used = defaultdict[str, float](float)
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            nanoseconds = int((task / "schedstat").read_text().split()[0])
            used[(task / "comm").read_text().strip()] += nanoseconds / 1e9
    return used
