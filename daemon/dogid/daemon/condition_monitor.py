"""What is wrong around the daemon: looked for with every round of the health check, logged, and kept for commands."""

import contextlib
import dataclasses
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dogid.conditions import inbox_hangs, ledger_hangs, other_inbox
from dogid.file_names import one_line
from dogid.ledger.ledger_condition import ledger_problem
from dogid.status import WatchStatus
from dogid.system.atomic_files import write_atomically

log = logging.getLogger(__name__)

HANG_SECONDS = 30.0
"""For which the inbox or the ledger may answer nothing. Raising this reports a dead server later; lowering it takes a
slow network or disk for a dead one."""
_FILE = "condition.json"


class ConditionMonitor:
    """Combines what the parts report with what only time shows: an inbox or ledger that hangs, a disk that is full."""

    def __init__(
        self,
        inbox: Path,
        state: Path,
        watch_status: Callable[[], WatchStatus],
        inbox_wait_since: Callable[[], float | None],
        ledger_wait_since: Callable[[], float | None],
        inbox_identity: Callable[[], tuple[int, int] | None],
        describe_usage: Callable[[], dict[str, Any]],
    ) -> None:
        """Set up.

        watch_status returns how the inbox is watched; inbox_wait_since and ledger_wait_since the monotonic second since
        which a thread has been waiting for them, or None; inbox_identity the device and inode that the inbox had in the
        last scan; describe_usage the model's name, what it is fed, why it was chosen, thresholds, the settings' file
        and the address, as entries of the condition.
        """
        self._inbox = inbox
        self._state = state
        self._watch_status = watch_status
        self._inbox_wait_since = inbox_wait_since
        self._ledger_wait_since = ledger_wait_since
        self._inbox_identity = inbox_identity
        self._describe_usage = describe_usage
        self._full_since: float | None = None
        self._logged: str | None = None
        self._written: dict[str, Any] | None = None
        # of the folder itself: at its path another one may be by then, or none, where it was moved away
        self._folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            (state / _FILE).unlink()

    def close(self) -> None:
        """Write nothing any more."""
        folder, self._folder = self._folder, -1
        os.close(folder)

    def watch_status(self) -> WatchStatus:
        """Return how the inbox is watched, and the worst of what keeps photos from being found or recorded."""
        status = self._watch_status()
        hanging = self._find_hanging()
        if hanging is not None:
            return dataclasses.replace(status, problem=hanging[0], blocked_since=hanging[1])
        if status.problem is None and self._full_since is not None:
            problem = ledger_problem(self._state)
            since = None if problem is None else self._full_since
            return dataclasses.replace(status, problem=problem, blocked_since=since)
        return status

    def _find_hanging(self) -> tuple[str, float] | None:
        """Return the message for what does not answer, and since when; None where all does."""
        # in this order: the ledger looks into the inbox, too
        for since, problem in (
            (self._inbox_wait_since(), inbox_hangs(self._inbox)),
            (self._ledger_wait_since(), ledger_hangs(self._state)),
        ):
            if since is not None and time.monotonic() - since > HANG_SECONDS:
                return problem, since
        return None

    def check(self, health_problem: Callable[[], str | None]) -> None:
        """Look at the disk, log what has changed, and keep it where the commands find it.

        health_problem returns why the daemon is not healthy, or None.
        """
        is_full = ledger_problem(self._state) is not None
        self._full_since = (self._full_since or time.monotonic()) if is_full else None
        problem = self.watch_status().problem
        is_logged = problem == self._watch_status().problem  # where it arises
        self._log(None if is_logged else problem)
        self._write(health_problem() or problem)

    def _log(self, problem: str | None) -> None:
        if problem is not None and problem != self._logged:
            log.error("%s", one_line(problem))
        elif problem is None and self._logged is not None:
            log.info("solved: %s", one_line(self._logged))
        self._logged = problem

    def _write(self, problem: str | None) -> None:
        condition = {
            "problem": problem,
            "inbox": self._inbox_identity(),
            "pid": os.getpid(),
            "inbox_path": str(self._inbox),
            **self._describe_usage(),
        }
        if condition == self._written:
            return
        with contextlib.suppress(OSError):  # the disk is full, or the folder gone: the commands find that themselves
            write_atomically(Path(f"/proc/self/fd/{self._folder}", _FILE), json.dumps(condition).encode())
            self._written = condition


def read_condition(state: Path) -> str | None:
    """Return what the daemon that uses a state folder has found wrong; None where it has found nothing."""
    problem = _read(state).get("problem")
    return problem if isinstance(problem, str) else None


def read_usage(state: Path) -> tuple[Path, str, dict[str, Any]] | None:
    """Return inbox, model, and why that was chosen, of the daemon that uses a state folder; None until it has noted
    them.
    """
    condition = _read(state)
    inbox, model, choice = condition.get("inbox_path"), condition.get("model"), condition.get("model_choice")
    if not (isinstance(inbox, str) and isinstance(model, str) and isinstance(choice, dict)):
        return None
    return Path(inbox), model, choice


def read_thresholds(state: Path) -> dict[str, float] | None:
    """Return the thresholds, scores by label, of the daemon that uses a state folder; None until it has noted them."""
    thresholds = _read(state).get("thresholds")
    if not isinstance(thresholds, dict) or not all(isinstance(score, int | float) for score in thresholds.values()):
        return None
    return thresholds


@dataclass(frozen=True, slots=True)
class NotedSettings:
    """Where the settings of a daemon come from, and what it uses of them."""

    config: Path | None
    """The absolute path of its file; None: it has none."""
    inbox: Path
    host: str
    port: int


def read_noted_settings(state: Path) -> NotedSettings | None:
    """Return what the daemon that uses a state folder has noted of its settings; None until it has."""
    condition = _read(state)
    config, inbox, host, url = (condition.get(key) for key in ("config", "inbox_path", "host", "url"))
    try:
        port = urlsplit(str(url)).port
    except ValueError:
        port = None
    if not (isinstance(inbox, str) and isinstance(host, str) and port):
        return None
    return NotedSettings(Path(config) if isinstance(config, str) else None, Path(inbox), host, port)


def read_url(state: Path) -> str | None:
    """Return the address of the page of the daemon that uses a state folder; None until it has noted it."""
    url = _read(state).get("url")
    return url if isinstance(url, str) and url else None


def find_other_inbox(state: Path, inbox: Path) -> str | None:
    """Return the message where the daemon that uses a state folder sees another folder as inbox than this process."""
    condition = _read(state)
    identity, pid = condition.get("inbox"), condition.get("pid")
    if not isinstance(identity, list) or not isinstance(pid, int):
        return None
    try:
        status = os.stat(inbox)
    except OSError:
        return None  # the caller reports it
    return None if [status.st_dev, status.st_ino] == identity else other_inbox(inbox, pid)


def _read(state: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads((state / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
