"""The ping to systemd's watchdog depends on the known photo's way through every worker."""

import dataclasses
import math
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.daemon.health_check import HealthCheck
from dogid.errors import PhotoCode
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Classified, Failed, Job, Outcome
from dogid.model.classifier import Model, load_model
from dogid.model.self_test import Reference, reference_for
from dogid.model.shipped import shipped_model
from dogid.photo.decode import DecodedPhoto, decode
from dogid.pipeline.in_progress import InProgress
from dogid.pipeline.retry_policy import RetryPolicy
from dogid.pipeline.worker import Work
from dogid.pipeline.worker_pool import Engine, WorkerPool
from tests.support.photos import photo, put
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(shipped_model())


def engine(model: Model, inbox: Path, decode_timeout: float = 600) -> Engine:
    work = Work(inbox, 10_000_000, 1, RetryPolicy(1000, Clock()), InProgress(inbox.parent))
    return Engine(model, work, reference_for(model), decode_timeout)


def wrong(good: Engine) -> Engine:
    """The same engine with another answer expected of the known photo."""
    known = good.reference.known
    wrong = dataclasses.replace(known, scores=tuple(score + 0.5 for score in known.scores))
    reference = dataclasses.replace(good.reference, known=wrong)
    return dataclasses.replace(good, reference=reference)


class Pool:
    """A pool, and what it has finished."""

    def __init__(self, chosen: Engine, count: int) -> None:
        self.finished: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self.workers = WorkerPool(chosen, self.finished.put)
        self.workers.resize(count)

    def prove(self) -> str | None:
        return self.workers.wait_for_proofs(self.workers.want_proofs(), PATIENCE)


@pytest.fixture
def pool(model: Model, inbox: Path) -> Iterator[Pool]:
    made = Pool(engine(model, inbox), 2)
    yield made
    made.workers.stop(0)


class Hanging:
    """A photo called hangs.jpg in whose decoding a worker hangs until it is let go."""

    def __init__(self, inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._entered, self._lets_go = threading.Event(), threading.Event()
        data = photo(2) + b"hangs"
        put(inbox / "hangs.jpg", data)

        def hang(read: bytes, size: tuple[int, int]) -> DecodedPhoto:
            if read == data:
                self._entered.set()
                self._lets_go.wait(PATIENCE)
            return decode(read, size)

        monkeypatch.setattr("dogid.model.classify_photo.decode", hang)

    def wait(self) -> None:
        """Wait until a worker hangs."""
        assert self._entered.wait(PATIENCE)

    def let_go(self) -> None:
        """Let the worker go on."""
        self._lets_go.set()


@pytest.fixture
def hanging(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    made = Hanging(inbox, monkeypatch)
    yield made
    made.let_go()


def job(number: int, name: bytes) -> Job:
    return Job(number, name, Version(1, 1, 1), 0, 0, None)


def test_the_known_photo_of_a_model_without_one_is_made_and_gets_its_first_answer(model: Model) -> None:
    plain = dataclasses.replace(model, file=dataclasses.replace(model.file, golden=None))
    made = reference_for(plain)

    assert not made.is_golden
    assert made.deviation(model.classifier()) is None
    assert decode(made.known.data, model.size).pixels.shape == (model.size[1], model.size[0], 3)


def test_an_answer_that_is_no_number_is_a_deviation(model: Model) -> None:
    good = reference_for(model).known
    broken = Reference(dataclasses.replace(good, scores=tuple(math.nan for _ in good.scores)), is_golden=False)

    assert broken.deviation(model.classifier()) is not None


def test_sound_workers_pass(pool: Pool) -> None:
    assert pool.prove() is None


def test_a_wrong_answer_is_told(pool: Pool, model: Model, inbox: Path) -> None:
    number = pool.workers.adopt(wrong(engine(model, inbox)))

    assert "fails on the known photo" in (pool.workers.wait_for_proofs(number, PATIENCE) or "")
    pool.workers.adopt(engine(model, inbox))
    assert pool.prove() is None


def test_more_and_fewer_workers_all_prove_themselves(pool: Pool) -> None:
    for count in (5, 1, 3):
        pool.workers.resize(count)

        assert pool.workers.count == count
        assert pool.prove() is None


def test_an_engine_is_refused_before_any_worker_goes_over_to_it(pool: Pool, model: Model, inbox: Path) -> None:
    put(inbox / "a.jpg", photo(1, size=(64, 64)))
    present = engine(model, inbox)
    other = dataclasses.replace(wrong(present), work=dataclasses.replace(present.work, model_id=2))
    for number in range(200):
        pool.workers.put(job(number, b"a.jpg"), arrived=True)

    assert "fails on the known photo" in (pool.workers.try_out(other, PATIENCE) or "")
    outcomes = [pool.finished.get(timeout=PATIENCE) for _ in range(200)]
    assert {outcome.model_id for outcome in outcomes if isinstance(outcome, Classified)} == {1}
    assert len({outcome.job.id for outcome in outcomes}) == 200
    assert pool.prove() is None


def test_while_one_worker_has_not_tried_an_engine_the_others_do_not_go_over(
    pool: Pool, model: Model, inbox: Path, hanging: Hanging
) -> None:
    present = engine(model, inbox)
    other = dataclasses.replace(present, work=dataclasses.replace(present.work, model_id=2))
    put(inbox / "a.jpg", photo(1, size=(64, 64)))
    pool.workers.put(job(0, b"hangs.jpg"), arrived=True)
    hanging.wait()
    told: list[str | None] = []
    trial = threading.Thread(target=lambda: told.append(pool.workers.try_out(other, PATIENCE)))
    trial.start()
    for number in range(1, 51):
        pool.workers.put(job(number, b"a.jpg"), arrived=True)
    during = [pool.finished.get(timeout=PATIENCE) for _ in range(50)]
    hanging.let_go()
    trial.join(PATIENCE)

    assert {outcome.model_id for outcome in during if isinstance(outcome, Classified)} == {1}
    assert told == [None]
    pool.workers.adopt(other)
    pool.finished.get(timeout=PATIENCE)
    pool.workers.put(job(60, b"a.jpg"), arrived=True)
    after = pool.finished.get(timeout=PATIENCE)
    assert isinstance(after, Classified)
    assert after.model_id == 2


def test_an_engine_that_passed_but_is_not_taken_changes_nothing(pool: Pool, model: Model, inbox: Path) -> None:
    assert pool.workers.try_out(engine(model, inbox), PATIENCE) is None
    assert pool.prove() is None


def test_stopping_ends_the_wait_for_a_trial(pool: Pool, model: Model, inbox: Path, hanging: Hanging) -> None:
    pool.workers.put(job(0, b"hangs.jpg"), arrived=True)
    hanging.wait()
    told: list[str | None] = []
    trial = threading.Thread(target=lambda: told.append(pool.workers.try_out(engine(model, inbox), 10 * PATIENCE)))
    trial.start()
    pool.workers.stop(0)
    trial.join(PATIENCE)

    assert told == ["the daemon is stopping"]


def test_a_worker_that_is_dismissed_while_it_hangs_is_given_up_with_its_photo(
    model: Model, inbox: Path, hanging: Hanging
) -> None:
    pool = Pool(engine(model, inbox, decode_timeout=0.0), 1)
    pool.workers.put(job(1, b"hangs.jpg"), arrived=True)
    hanging.wait()
    pool.workers.resize(0)
    (failed,) = pool.workers.give_up_late()

    assert isinstance(failed, Failed)
    assert (failed.job.id, failed.code) == (1, PhotoCode.TOO_LARGE)
    assert pool.workers.give_up_late() == []
    assert pool.workers.count == 0
    assert "still hangs from hangs.jpg" in (pool.prove() or "")
    hanging.let_go()
    eventually(lambda: pool.prove() is None, "with the late thread gone all is well")
    assert pool.finished.empty()
    pool.workers.stop(0)


def test_a_worker_that_is_dismissed_finishes_the_photo_in_hand(pool: Pool, hanging: Hanging) -> None:
    pool.workers.put(job(1, b"hangs.jpg"), arrived=True)
    hanging.wait()
    pool.workers.resize(0)
    hanging.let_go()

    assert pool.finished.get(timeout=PATIENCE).job.id == 1


def test_photos_are_worked_on_by_the_engine_of_their_time_and_none_is_dropped(
    pool: Pool, model: Model, inbox: Path
) -> None:
    put(inbox / "a.jpg", photo(1, size=(64, 64)))
    for number in range(200):
        pool.workers.put(job(number, b"a.jpg"), arrived=True)
        if number % 50 == 0:
            pool.workers.adopt(engine(model, inbox))
            pool.workers.resize(1 + number % 3)
    outcomes = [pool.finished.get(timeout=PATIENCE) for _ in range(200)]

    assert all(isinstance(outcome, Classified) for outcome in outcomes)
    assert {outcome.job.id for outcome in outcomes} == set(range(200))


def test_a_worker_that_hangs_is_replaced_and_missed_until_its_thread_ends(
    model: Model, inbox: Path, hanging: Hanging
) -> None:
    pool = Pool(engine(model, inbox, decode_timeout=0.0), 2)
    pool.workers.put(job(1, b"hangs.jpg"), arrived=True)
    hanging.wait()
    (failed,) = pool.workers.give_up_late()

    assert isinstance(failed, Failed)
    assert failed.code is PhotoCode.TOO_LARGE
    assert "still hangs from hangs.jpg" in (pool.prove() or "")
    hanging.let_go()
    eventually(lambda: pool.prove() is None, "with the late thread gone all is well")
    pool.workers.stop(0)


def test_what_a_person_must_see_is_an_error_and_what_mends_itself_a_warning(
    pool: Pool, model: Model, inbox: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> object:
        raise MemoryError("none left")

    put(inbox / "a.jpg", photo(1))
    with monkeypatch.context() as patch:
        patch.setattr("dogid.model.classify_photo.decode", no_memory)
        pool.workers.put(job(1, b"a.jpg"), arrived=True)
        pool.finished.get(timeout=PATIENCE)
    assert {record.levelname for record in caplog.records} == {"WARNING"}

    heartbeat = HealthCheck(pool.workers, lambda: None, lambda: None, lambda: PATIENCE)
    pool.workers.adopt(wrong(engine(model, inbox)))
    heartbeat.check()
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert "fails on the known photo" in told[0]


class HealthTarget:
    """Workers that pass or not as a test says."""

    def __init__(self) -> None:
        self.amiss: str | None = None

    def want_proofs(self) -> int:
        return 1

    def wait_for_proofs(self, _number: int, _timeout: float) -> str | None:
        return self.amiss


def test_the_ping_stops_while_something_is_amiss_and_comes_back_after() -> None:
    patients = HealthTarget()
    pings: queue.SimpleQueue[None] = queue.SimpleQueue()
    heartbeat = HealthCheck(patients, lambda: None, lambda: pings.put(None), lambda: 0.0, interval=0.01)
    heartbeat.start()
    for _ in range(3):
        pings.get(timeout=PATIENCE)
    patients.amiss = "a worker hangs"
    eventually(lambda: not heartbeat.health.ok, "it is noticed")
    while not pings.empty():
        pings.get()

    assert heartbeat.health.reason == "a worker hangs"
    with pytest.raises(queue.Empty):
        pings.get(timeout=0.2)
    patients.amiss = None
    pings.get(timeout=PATIENCE)
    assert heartbeat.health.ok
    heartbeat.stop()


def test_another_thread_that_has_ended_stops_the_ping_too() -> None:
    heartbeat = HealthCheck(HealthTarget(), lambda: "the clerk has ended", lambda: None, lambda: 0.0)

    assert heartbeat.check() == "the clerk has ended"
    assert not heartbeat.health.ok
