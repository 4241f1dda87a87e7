"""Engines, a pool of workers and a photo that hangs, for tests of the pipeline in this process."""

import dataclasses
import queue
import threading
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.decoding.byte_budget import ByteBudget
from dogid.decoding.decoder import Decoder
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Job, Outcome
from dogid.model.classifier import Model
from dogid.model.reference_photo import make_reference_photo
from dogid.photo.decode import DEFAULT_MAX_PIXELS, decode
from dogid.photo.extent.jpeg import JpegHeader
from dogid.photo.pixels import DecodedPhoto
from dogid.pipeline.engine import Engine
from dogid.pipeline.in_progress import InProgress
from dogid.pipeline.job_queue import JobQueue
from dogid.pipeline.photo_processor import PhotoProcessor
from dogid.pipeline.retry_policy import RetryPolicy
from dogid.pipeline.worker_checks import WorkerChecks
from dogid.pipeline.worker_pool import WorkerPool
from tests.support.photos import photo, put
from tests.support.waiting import TIMEOUT


def engine(model: Model, inbox: Path, decode_timeout: float = 600, model_id: int = 1) -> Engine:
    """An engine for photos of an inbox; beside it the file of photos in progress."""
    retry_policy = RetryPolicy(1000, Clock())
    decoder = Decoder(ByteBudget(1 << 30), DEFAULT_MAX_PIXELS, decode_timeout)
    processor = PhotoProcessor(inbox, 10_000_000, model_id, retry_policy, InProgress(inbox.parent), decoder)
    return Engine(model, processor, make_reference_photo(model), decode_timeout)


def wrong(good: Engine) -> Engine:
    """The same engine with another answer expected of the reference photo."""
    known = good.reference_photo.photo
    other = dataclasses.replace(known, scores=tuple(score + 0.5 for score in known.scores))
    return dataclasses.replace(good, reference_photo=dataclasses.replace(good.reference_photo, photo=other))


def refuse_worker_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give workers no threads, as a machine that has none left, until the patch is undone."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("worker-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


class Hanging:
    """A photo called hangs.jpg in whose decoding a worker hangs until it is released."""

    def __init__(self, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._entered, self._released = threading.Event(), threading.Event()
        data = photo(2) + b"hangs"
        put(inbox / "hangs.jpg", data)

        def hang(read: bytes, size: tuple[int, int], header: JpegHeader | None) -> DecodedPhoto:
            if read == data:
                self._entered.set()
                self._released.wait(TIMEOUT)
            return decode(read, size, header)

        monkeypatch.setattr("dogid.decoding.decoder.decode", hang)

    def wait(self) -> None:
        """Wait until a worker hangs."""
        assert self._entered.wait(TIMEOUT)

    def release(self) -> None:
        """Let the worker go on."""
        self._released.set()


class Pool:
    """Workers with their checks and queue, and what they have finished."""

    def __init__(self, chosen: Engine, count: int) -> None:
        self.finished: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.jobs = JobQueue()
        self.checks = WorkerChecks(chosen, self.jobs)
        self.workers = WorkerPool(self.jobs, self.checks, self.finished.put)
        self.workers.resize(count)

    def start_health_round(self) -> int:
        """As the pipeline does."""
        self.workers.start_missing()
        return self.checks.start_round()

    def wait_for_health_round(self, number: int, timeout: float) -> str | None:
        """As the pipeline does."""
        problem = self.checks.wait_for_round(number, timeout)
        return self.workers.problem() or problem

    def check(self) -> str | None:
        """Run a round of checks; return the problem."""
        return self.wait_for_health_round(self.start_health_round(), TIMEOUT)

    def add(self, number: int, name: bytes) -> None:
        """Queue a photo of the inbox."""
        self.jobs.enqueue(Job(number, name, Version(1, 1, 1), 0, 0, None), arrived=True)

    def next_outcome(self) -> Outcome:
        """Wait for the next finished photo."""
        return self.finished.get(timeout=TIMEOUT)
