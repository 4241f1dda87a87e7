"""Runs tests that failed in the last run a second time, one after the other: python -m tests.support.second_try.

For CI, whose machines may be so busy that one of thousands of tests with real processes comes too late. What passes the
second time is named all the same: it depends on timing, and is to be mended. Exit status: 0 all passed, 1 not, or the
run before was not such a run: it ended early, or more than MOST_TESTS failed.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MOST_TESTS = 3
"""Tests that are run again. More than these have a common cause, and it is not the machine."""

NOT_RUN = "dogid/not_run"
"""Key in pytest's cache: how many tests the last run did not come to, since one of its processes died."""

_CACHE = Path(".pytest_cache/v")


class RunRecorder:
    """Notes in pytest's cache how many of the collected tests were not run. A plugin of xdist's controller."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._run: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test was run, or that its process died while it ran."""
        self._run.add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Store how many were not."""
        collected = self._scheduler.collection
        left = None if collected is None else len(set(collected) - self._run)
        cache = getattr(session.config, "cache", None)  # none with -p no:cacheprovider
        if cache is not None:
            cache.set(NOT_RUN, left)


def main() -> int:
    """Run the failed tests of the last run again; return the exit status."""
    failed = list(_read("cache/lastfailed") or {})
    left = _read(NOT_RUN)
    if left != 0:
        sys.stderr.write(f"No second try: the run ended before {left or 'all'} of its tests.\n")
        return 1
    if not 0 < len(failed) <= MOST_TESTS:
        sys.stderr.write(f"No second try: {len(failed)} tests failed; up to {MOST_TESTS} are run again.\n")
        return 1
    if subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *failed]).returncode:
        return 1
    for test in failed:
        sys.stdout.write(f"PASSED ONLY AT THE SECOND TRY: depends on timing and is to be mended: {test}\n")
    return 0


def _read(name: str) -> Any:
    try:
        return json.loads((_CACHE / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
