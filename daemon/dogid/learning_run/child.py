"""A learning run that the daemon starts: a process of its own, so that its memory is given back; it ends with it."""

import contextlib
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dogid import settings
from dogid.errors import ConflictError, DogidError
from dogid.learning_run.end_with_daemon import WITH_DAEMON
from dogid.learning_run.last_report import keep_beginning, keep_failure, read_report
from dogid.learning_run.lock import ANOTHER_RUNS, is_learning
from dogid.settings import Settings

if TYPE_CHECKING:
    import subprocess

_MOST_MESSAGES = 100_000  # bytes that are read of what a run has printed
_LOST_TURN = "another learning run was under way, begun by a command, and this one learned nothing; begin it again"


@dataclass(frozen=True, slots=True)
class LastRun:
    """The learning run that is under way, or the last one."""

    running: bool
    report: dict[str, Any] | None
    """Of the last run, of any process; None where it has none."""
    error: dict[str, Any] | None
    """Why the last run has no report: `message`."""


class LearningProcess:
    """Starts learning runs for a daemon, one at a time, and knows what became of the last one."""

    def __init__(self, state: Path, inbox: Path) -> None:
        self._state, self._inbox = state, inbox
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: IO[bytes] | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def start(self, chosen: Settings, *, activate: bool) -> None:
        """Start a run. Raise ConflictError where one is under way, DogidError where no process can be started."""
        with self._lock:
            if self._is_closed:
                raise DogidError("dogid is stopping")
            import subprocess  # an idle daemon does without it

            if self.is_running():
                raise ConflictError("a learning run is under way; its report comes with GET /learn")
            command = [sys.executable, "-m", "dogid", "learn", "--json", WITH_DAEMON, "--state", str(self._state)]
            command += ["--inbox", str(self._inbox), *_flags(chosen)]
            self._forget_last()
            with contextlib.suppress(OSError):  # the report before is gone then; the run says what is the matter
                keep_beginning(self._state, starting=True)
            try:
                self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - as long as its process is the last one
                self._process = subprocess.Popen(  # noqa: S603
                    [*command, *(["--activate"] if activate else [])],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=self._messages,
                    env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                )
            except OSError as error:
                message = f"no process can be started to learn in: {error.strerror or error}"
                keep_failure(self._state, message)
                raise DogidError(message) from error

    def _forget_last(self) -> None:
        for file in (self._messages, None if self._process is None else self._process.stdin):
            if file is not None:
                file.close()
        self._process = self._messages = None

    def is_running(self) -> bool:
        """Whether a run is under way, also one that a command has started."""
        return (self._process is not None and self._process.poll() is None) or is_learning(self._state)

    def request_stop(self) -> None:
        """Have the run end, and start none any more, without waiting for it."""
        with self._lock:
            self._is_closed = True
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def join(self, deadline: float) -> None:
        """Wait until the run that was to stop has ended; at deadline (a `time.monotonic()`) it is killed."""
        if self._process is not None:
            import subprocess

            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(max(0.0, deadline - time.monotonic()))
                return
            self._process.kill()

    def last_run(self) -> LastRun:
        """Return whether a run is under way, and the report of the last one, or why it has none.

        Where a run of this daemon ended without a report, killed or on a full disk, its exit status says why.
        """
        running = self.is_running()  # first: a run that ends meanwhile has its report
        report = read_report(self._state)
        if running and report is not None and report.get("interrupted"):
            report = None  # the run has not come as far as its lock yet
        error = None if report is None else report.get("error")
        if not running and (report is None or report.get("interrupted")) and (end := self._explain_end()) is not None:
            error = {"message": end}
        report = None if error else report
        if self._lost_its_turn():  # the report, if any, is that of the other run
            error = {"message": _LOST_TURN}
        return LastRun(running, report, error if isinstance(error, dict) else None)

    def _lost_its_turn(self) -> bool:
        """Whether the last run learned nothing since another one, begun by a command, was under way."""
        with self._lock:
            if self._process is None or self._messages is None or not self._process.poll():
                return False
            self._messages.seek(0)
            return ANOTHER_RUNS.encode() in self._messages.read(_MOST_MESSAGES)

    def _explain_end(self) -> str | None:
        """Return how the last run ended, where its exit status says that it failed; None else."""
        status = None if self._process is None else self._process.poll()
        if not status:
            return None
        if status < 0:
            return f"the learning run was ended by signal {-status}; did memory run out?"
        return f"the learning run failed with exit status {status}; dogid learn shows the reason"


def _flags(chosen: Settings) -> list[str]:
    """Return the settings as flags: what is the default stays away."""
    defaults, flags = Settings(), list[str]()
    for name in settings.LEARNING_SETTINGS:
        value = getattr(chosen, name)
        if value is not None and value != getattr(defaults, name):
            flags += [settings.flag(name), getattr(value, "setting", None) or str(value)]
    return flags
