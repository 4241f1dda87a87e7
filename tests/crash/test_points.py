"""Death at each statement that the ledger gives to SQLite, commits among them; then a fresh process takes over."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.ledger_deaths import die_while_the_ledger_is_made
from tests.support.daemon import ROOT, environment


@pytest.mark.timeout(600)  # hundreds of processes, one after the other
def test_crash_at_any_statement_loses_and_repeats_nothing(memory_folder: Path) -> None:
    command = [sys.executable, "-m", "tests.crash.ledger_deaths", str(memory_folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100  # each of them was tried, to the last


@pytest.mark.parametrize("before", [True, False])
def test_crash_while_the_ledger_is_made_is_repaired(memory_folder: Path, before: bool) -> None:
    die_while_the_ledger_is_made(memory_folder, before=before)
