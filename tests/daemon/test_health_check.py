"""The ping to systemd's watchdog depends on the reference photo's way through every worker."""

import queue
from pathlib import Path

import pytest

from dogid.daemon.health_check import HealthCheck
from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from tests.support.engines import Pool, engine, wrong
from tests.support.photos import photo, put
from tests.support.waiting import TIMEOUT, eventually


class Target:
    """Workers that pass or not as a test says."""

    def __init__(self) -> None:
        self.problem: str | None = None

    def start_health_round(self) -> int:
        return 1

    def wait_for_health_round(self, _number: int, _timeout: float) -> str | None:
        return self.problem


def test_ping_stops_with_a_problem_and_returns_without_it() -> None:
    target = Target()
    pings: queue.SimpleQueue[None] = queue.SimpleQueue()
    check = HealthCheck(target, lambda: None, lambda: pings.put(None), lambda: 0.0, interval=0.01)
    check.start()
    for _ in range(3):
        pings.get(timeout=TIMEOUT)
    target.problem = "a worker hangs"
    eventually(lambda: not check.health.ok, "it is noticed")
    while not pings.empty():
        pings.get()

    assert check.health.reason == "a worker hangs"
    with pytest.raises(queue.Empty):
        pings.get(timeout=0.2)
    target.problem = None
    pings.get(timeout=TIMEOUT)
    assert check.health.ok
    check.request_stop()


def test_another_ended_thread_is_a_problem() -> None:
    check = HealthCheck(Target(), lambda: "the coordinator has ended", lambda: None, lambda: 0.0)

    assert check.check() == "the coordinator has ended"
    assert not check.health.ok


def test_only_lasting_problems_are_logged_as_errors(
    inbox: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> object:
        raise MemoryError("none left")

    model = load_model(shipped_model())
    pool = Pool(engine(model, inbox), 2)
    put(inbox / "a.jpg", photo(1))
    with monkeypatch.context() as patch:
        patch.setattr("dogid.decoding.decoder.decode", no_memory)
        pool.add(1, b"a.jpg")
        pool.next_outcome()
    assert {record.levelname for record in caplog.records} == {"WARNING"}

    check = HealthCheck(pool, lambda: None, lambda: None, lambda: TIMEOUT)
    pool.checks.switch_engine(wrong(engine(model, inbox)))
    check.check()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert "fails on the reference photo" in errors[0]
    pool.workers.stop(0)
