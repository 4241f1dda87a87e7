"""A machine that gives too few threads: the start fails with the reason, wherever it runs out of them."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.privileges import needs_root

_FIRST_USER = 54_000
_CAPABILITIES = "+dac_override,+dac_read_search"  # root's limits of processes are not enforced, another user's are


@needs_root
@pytest.mark.parametrize("threads", [1, 2, 3, 4, 8, 14])
def test_start_without_threads_names_the_limit(threads: int) -> None:
    user = [
        "setpriv",
        "--reuid",
        f"{_FIRST_USER + threads}",
        "--clear-groups",
    ]
    # the limit holds for all that a user runs
    capabilities = ["--inh-caps", _CAPABILITIES, "--ambient-caps", _CAPABILITIES]
    with tempfile.TemporaryDirectory() as name:  # not pytest's, which others may not enter
        os.chown(name, _FIRST_USER + threads, -1)
        folder = Path(name)
        limit = [*user, *capabilities, "prlimit", f"--nproc={threads}"]
        daemon = DaemonProcess(folder / "inbox", folder / "state", "--workers", "2", before=limit)
        daemon.launch()
        status, log = daemon.wait(), daemon.log_text()

    assert status == 1
    last = log.splitlines()[-1]
    assert last.startswith("dogid: ")
    assert "can't start new thread" in last
    assert "TasksMax, ulimit -u" in last
    assert "Traceback" not in log
