"""Death before each step that changes the shelf: there is always one active model, and it is whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import ROOT, environment

pytestmark = pytest.mark.timeout(600)


def test_crash_at_any_step_leaves_one_valid_active_model(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.crash.shelf_deaths", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    without_daemon, with_daemon, by_request = map(int, done.stdout.split())
    assert without_daemon > 100  # each of them was tried, to the last
    assert with_daemon > 10
    assert by_request > 25


def test_killed_learning_run_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.crash.learning_deaths", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    proposed, activated = map(int, done.stdout.split())
    assert 15 < proposed < activated  # each of them was tried, to the last
