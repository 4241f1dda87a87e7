"""A program that an output runs: bounded in time, memory and output, and ended with all that it has started."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_OUTPUT_KEPT = 2000
"""Bytes of the end of its output: an error's last words. More only makes messages longer."""
_CHUNK = 64 * 1024
_PAUSE = 0.1  # seconds between two looks at whether to stop; shorter only costs wake-ups
_NICE = 10
_LAST_WAIT = 2.0  # seconds for a killed program to go
_OPEN_FILES = 256
_OOM_SCORE = "1000"  # where memory runs out, the kernel ends it before the daemon
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON = ("TZ", "LANG", "LC_ALL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    status: int | None
    """Its exit status, or the negative number of the signal that ended it; None where it was ended here."""
    output: str
    """The end of what it has printed."""
    seconds: float

    @property
    def last_line(self) -> str:
        """The last line that it has printed."""
        return next((line.strip() for line in reversed(self.output.splitlines()) if line.strip()), "")


def clean_environment(folder: Path) -> dict[str, str]:
    """Return an environment without anything of the daemon's own: no settings, no paths of credentials."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"LANG": "C.UTF-8", **kept, "PATH": _PATH, "HOME": str(folder)}


def run_bounded(
    command: Sequence[str],
    stdin: bytes,
    *,
    environment: Mapping[str, str],
    folder: Path,
    timeout: float,
    memory: int,
    stopping: threading.Event,
) -> Outcome:
    """Run a program until it ends, or end it: after timeout seconds, or when stopping is set.

    command: path and arguments, given to no shell. folder: where it runs. memory: bytes that it may have, as data.
    What it leaves running in its process group ends with it. Raise OSError where it cannot be started.
    """
    began = time.monotonic()
    with os.fdopen(os.memfd_create("stdin"), "w+b") as source:
        source.write(stdin)
        source.seek(0)
        process = subprocess.Popen(  # noqa: S603 - what the settings name
            list(command),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    assert process.stdout is not None
    has_ended = False
    with process.stdout as pipe:
        try:
            _limit(process.pid, memory)
            output, has_ended = _watch(process.pid, pipe.fileno(), began + timeout, stopping)
        finally:
            _end(process)
    status = process.returncode if has_ended else None
    return Outcome(status, output.decode("utf-8", "replace"), time.monotonic() - began)


def _limit(pid: int, memory: int) -> None:
    """Limit a program that has just begun. What is forbidden here is left to the service's control group."""
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: _OPEN_FILES, resource.RLIMIT_DATA: memory}
    for kind, value in limits.items():
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, kind, (value, value))
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, max(_NICE, os.getpriority(os.PRIO_PROCESS, pid)))
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(_OOM_SCORE)


def _watch(pid: int, pipe: int, deadline: float, stopping: threading.Event) -> tuple[bytes, bool]:
    """Read what a program prints; return the end of it, and whether the program has ended by itself."""
    kept = b""
    ended = os.pidfd_open(pid)
    try:
        sources = select.poll()
        sources.register(ended, select.POLLIN)
        sources.register(pipe, select.POLLIN)
        while not stopping.is_set() and (left := deadline - time.monotonic()) > 0:
            ready = {fd for fd, _ in sources.poll(1000 * min(left, _PAUSE))}
            if pipe in ready:
                data = os.read(pipe, _CHUNK)  # as much as a pipe holds: of a program that has ended, all
                kept = data[-_OUTPUT_KEPT:] if len(data) > _OUTPUT_KEPT else (kept + data)[-_OUTPUT_KEPT:]
                if not data:
                    sources.unregister(pipe)
            if ended in ready:
                return kept, True
    finally:
        os.close(ended)
    return kept, False


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program's process group, also what is left of it where the program itself has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a disk that hangs
        process.wait(_LAST_WAIT)
