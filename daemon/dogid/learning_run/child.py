"""A learning run that the daemon starts: a process of its own, so that its memory is given back, at idle priority."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

from dogid import settings
from dogid.errors import ConflictError, DogidError
from dogid.learning_run.lock import ANOTHER_RUNS, is_learning
from dogid.settings import Settings

_MOST_MESSAGES = 100_000  # bytes that are read of what a run has printed


class LearningProcess:
    """Starts learning runs for a daemon, one at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: IO[bytes] | None = None
        self._lock = threading.Lock()

    def start(self, chosen: Settings, state: Path, inbox: Path, *, activate: bool) -> None:
        """Start a run. Raise ConflictError where one is under way, DogidError where no process can be started."""
        with self._lock:
            if self.is_running(state):
                raise ConflictError("a learning run is under way; its report comes with GET /learn")
            command = [sys.executable, "-m", "dogid", "learn", "--json", "--state", str(state)]
            command += ["--inbox", str(inbox), *_flags(chosen)]
            try:
                messages = tempfile.TemporaryFile()  # noqa: SIM115 - as long as its process is the last one
                self._process = subprocess.Popen(  # noqa: S603
                    [*command, *(["--activate"] if activate else [])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=messages,
                    env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                )
                if self._messages is not None:
                    self._messages.close()
                self._messages = messages
            except OSError as error:
                raise DogidError(f"no process can be started to learn in: {error.strerror or error}") from error

    def is_running(self, state: Path) -> bool:
        """Whether a run is under way, also one that a command has started."""
        return (self._process is not None and self._process.poll() is None) or is_learning(state)

    def lost_its_turn(self) -> bool:
        """Whether the last run learned nothing since another one, begun by a command, was under way."""
        with self._lock:
            if self._process is None or self._messages is None or not self._process.poll():
                return False
            self._messages.seek(0)
            return ANOTHER_RUNS.encode() in self._messages.read(_MOST_MESSAGES)

    def explain_end(self) -> str | None:
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
