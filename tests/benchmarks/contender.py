"""A contender: a process that answers photos in its own way, whenever it is sent their paths.

Each runs in a process of its own, so that none has another's threads, memory or lock, and stays for the whole
run, so that rounds can be interleaved: what else the machine does then falls on all alike.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.support.daemon import ROOT, environment

Answer = Callable[[Path], Sequence[float]]
"""Given a photo's path, return the probabilities in label order. For use by one thread."""


@dataclass(frozen=True, slots=True)
class Lap:
    """What so many photos took."""

    photos: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        """Photos."""
        return self.photos / self.seconds

    @property
    def cpu_per_1000(self) -> float:
        """Seconds of processor time for 1,000 photos."""
        return self.cpu_seconds / self.photos * 1000


class Contender:
    """The caller's side of a process that runs `serve`."""

    def __init__(self, module: str, *arguments: str) -> None:
        """Start it; `wait` for it before the first lap."""
        command = [sys.executable, "-m", module, *arguments]
        environ = {**environment(), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), environ["PYTHONPATH"]])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        )

    def wait(self) -> "Contender":
        """Wait until it has loaded its model. Raise RuntimeError where it cannot."""
        self._read()
        return self

    def lap(self, paths: Sequence[Path]) -> Lap:
        """Have it answer photos, each once, in this order."""
        return Lap(**self._ask({"lap": [str(path) for path in paths]}))

    def answers(self, paths: Sequence[Path]) -> list[list[float]]:
        """Have it answer photos, and return the probabilities."""
        found: list[list[float]] = self._ask({"answers": [str(path) for path in paths]})["scores"]
        return found

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contender has ended: {self._process.args!r}")
        return json.loads(line)


@contextlib.contextmanager
def running(contenders: dict[str, Contender]) -> Iterator[dict[str, Contender]]:
    """Wait for contenders, leave out those that do not work here, and end all at the end."""
    works: dict[str, Contender] = {}
    try:
        for name, contender in contenders.items():
            with contextlib.suppress(RuntimeError):
                works[name] = contender.wait()
        yield works
    finally:
        for contender in contenders.values():
            contender.close()


def serve(make: Callable[[], Answer], threads: int) -> None:
    """The process's side: make an answerer for each thread, then answer what comes on stdin until it closes."""
    answers = [make() for _ in range(threads)]
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print
    _write(out, {"ready": True})
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "answers" in question:
            _write(out, {"scores": [list(map(float, answers[0](Path(path)))) for path in question["answers"]]})
            continue
        paths = [Path(path) for path in question["lap"]]
        begun, cpu = time.perf_counter(), time.process_time()
        _share_out(answers, paths)
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
        _write(out, {"photos": len(paths), "seconds": seconds, "cpu_seconds": cpu_seconds})


def _share_out(answers: Sequence[Answer], paths: Sequence[Path]) -> None:
    if len(answers) == 1:
        for path in paths:
            answers[0](path)
        return
    todo = iter(paths)  # next() on a list's iterator is atomic
    threads = [threading.Thread(target=_loop, args=(answer, todo)) for answer in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _loop(answer: Answer, todo: Iterator[Path]) -> None:
    for path in todo:
        answer(path)


def _write(out: IO[bytes], document: dict[str, Any]) -> None:
    out.write(json.dumps(document).encode() + b"\n")
    out.flush()
