"""Kill a real daemon at random points of a backlog, start it again, and see that nothing is lost or done twice.

`python -m tests.crash.harness --trials 1000` prints a report; a trial is a kill.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from dogid.errors import UsageError
from dogid.ledger.database import open_for_reading
from tests.crash.backlog import Backlog
from tests.support.daemon import DaemonProcess
from tests.support.waiting import eventually

_KILLS_PER_INBOX = 10
_FILES = 60
_FILES_PER_KILL = 12
_CHANGES_PER_KILL = 3


@dataclass(slots=True)
class Report:
    """What happened, in figures."""

    kills: int = 0
    inboxes: int = 0
    files: int = 0
    in_start: int = 0
    """Kills before the daemon had a ledger or had written anything more to it."""
    in_backlog: int = 0
    """Kills after some, and before all files were answered."""
    when_done: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people."""
        lines = [
            f"{self.kills} kills -9 in {self.seconds:.0f} s, of which {self.in_start} before the daemon wrote anything,"
            f" {self.in_backlog} within the backlog, {self.when_done} after it",
            f"{self.inboxes} inboxes with {self.files} files; after each the audit, the integrity of the ledger, and"
            " every file's one result against an undisturbed answer",
            f"{len(self.faults)} faults",
        ]
        return "\n".join(lines + [f"  {fault}" for fault in self.faults[:50]])


def run(trials: int, seed: int, *, progress: bool = False) -> Report:
    """Kill a daemon so many times; return what was found."""
    report = Report()
    begun = time.monotonic()
    chance = random.Random(seed)
    while report.kills < trials:
        with tempfile.TemporaryDirectory(prefix="dogid-crash-", ignore_cleanup_errors=True) as folder:
            _one_inbox(Path(folder), min(_KILLS_PER_INBOX, trials - report.kills), chance, report)
        report.seconds = time.monotonic() - begun
        if progress:
            print(f"{report.kills} of {trials} kills, {len(report.faults)} faults", file=sys.stderr, flush=True)  # noqa: T201
    return report


def _one_inbox(folder: Path, kills: int, chance: random.Random, report: Report) -> None:
    (folder / "inbox").mkdir()
    backlog = Backlog(folder / "inbox", chance)
    backlog.add(_FILES)
    daemon = DaemonProcess(backlog.inbox, folder / "state", "--settle", "0.2")
    try:
        longest = 0.6
        for _ in range(kills):
            before = _answers(daemon.state)
            daemon.launch()
            begun = time.monotonic()
            if chance.random() < 0.8:  # most within the work, some within the start
                _await_more_than(daemon, before, backlog)
                longest = max(longest, time.monotonic() - begun)
                time.sleep(chance.uniform(0, 0.25))
            else:
                time.sleep(chance.uniform(0, longest))
            _change(backlog, chance)  # as close to the kill as can be: the daemon is just looking at it
            daemon.kill()
            report.kills += 1
            _count(report, backlog, daemon.state, before)
            backlog.add(chance.randrange(_FILES_PER_KILL))
        daemon.launch()
        eventually(lambda: _is_answered(backlog, daemon.state), "the rest of the backlog is answered", timeout=120)
        with contextlib.suppress(AssertionError):  # then each fault is named below
            eventually(lambda: not backlog.faults(daemon.state), "what was renamed and deleted is noted")
        report.faults += [f"inbox {report.inboxes}: {fault}" for fault in backlog.faults(daemon.state)]
        daemon.stop()
        report.faults += [f"inbox {report.inboxes}, at rest: {fault}" for fault in backlog.faults(daemon.state)]
        report.inboxes += 1
        report.files += len(backlog.files)
    finally:
        daemon.close()


def _change(backlog: Backlog, chance: random.Random) -> None:
    for _ in range(chance.randrange(_CHANGES_PER_KILL + 1)):
        backlog.change()


def _await_more_than(daemon: DaemonProcess, before: int, backlog: Backlog) -> None:
    """Wait until the daemon has answered more than before, or all that there is."""
    with contextlib.suppress(AssertionError):  # the next one has the backlog to answer
        eventually(
            lambda: not daemon.running or _answers(daemon.state) > before or _is_answered(backlog, daemon.state),
            "it is at work",
        )


def _count(report: Report, backlog: Backlog, state: Path, before: int) -> None:
    if _answers(state) <= before:
        report.in_start += 1
    elif _is_answered(backlog, state):
        report.when_done += 1
    else:
        report.in_backlog += 1


def _answers(state: Path) -> int:
    """How many answers were ever given, by the ledger."""
    try:
        db = open_for_reading(state)
    except UsageError:
        return 0
    try:
        return int(db.execute("SELECT value FROM counter WHERE name = 'seq'").fetchone()[0])
    finally:
        db.close()


def _is_answered(backlog: Backlog, state: Path) -> bool:
    try:
        return backlog.is_answered(state)
    except UsageError:
        return False


def main() -> int:
    """Run the trials that the command line asks for; exit 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    report = run(args.trials, args.seed, progress=True)
    print(report.text())  # noqa: T201
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
