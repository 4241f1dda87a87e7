"""How results wait for each other, and for whom they do not."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job
from dogid.pipeline.outcome_buffer import Drained, OutcomeBuffer
from tests.support.waiting import PATIENCE, eventually

LONG = 600.0


def outcome(number: int) -> Failed:
    version = Version(number, 1, 1)
    return Failed(Job(number, b"a.jpg", version, 0, 0, None), version, PhotoCode.CORRUPT, "damaged")


class Clerk:
    """Takes from a tray in a thread of its own."""

    def __init__(self, tray: OutcomeBuffer, enough: int) -> None:
        pool = ThreadPoolExecutor(1)
        self._taken: Future[Drained] = pool.submit(tray.take, enough, LONG, LONG)
        pool.shutdown(wait=False)

    def is_waiting(self) -> bool:
        return not self._taken.done()

    @property
    def taken(self) -> Drained:
        return self._taken.result(PATIENCE)

    def ids(self) -> list[int]:
        return [found.job.id for found in self.taken.outcomes]


@pytest.fixture
def tray() -> OutcomeBuffer:
    return OutcomeBuffer()


def test_results_are_taken_together_once_there_are_enough(tray: OutcomeBuffer) -> None:
    clerk = Clerk(tray, enough=3)
    tray.lay(outcome(1), urgent=False)
    tray.lay(outcome(2), urgent=False)
    assert clerk.is_waiting()
    tray.lay(outcome(3), urgent=False)

    assert clerk.ids() == [1, 2, 3]
    assert tray.is_empty


def test_an_urgent_result_takes_the_others_along_at_once(tray: OutcomeBuffer) -> None:
    clerk = Clerk(tray, enough=100)
    tray.lay(outcome(1), urgent=False)
    assert clerk.is_waiting()
    tray.lay(outcome(2), urgent=True)

    assert clerk.ids() == [1, 2]


def test_who_arrives_is_told_at_once_also_while_results_wait(tray: OutcomeBuffer) -> None:
    clerk = Clerk(tray, enough=100)
    tray.lay(outcome(1), urgent=False)
    tray.wake([7])
    taken = clerk.taken

    assert ([found.job.id for found in taken.outcomes], taken.woken, taken.arrived) == ([1], True, [7])
    assert tray.take(1, 0.0, 0.0) == Drained([], woken=False, arrived=[])


def test_results_that_are_not_enough_wait_no_longer_than_they_may(tray: OutcomeBuffer) -> None:
    tray.lay(outcome(1), urgent=False)
    begun = time.monotonic()
    taken = tray.take(100, 0.05, LONG)

    assert [found.job.id for found in taken.outcomes] == [1]
    assert 0.05 <= time.monotonic() - begun < PATIENCE


def test_nothing_is_lost_between_many_workers_and_the_clerk(tray: OutcomeBuffer) -> None:
    workers, each = 4, 500
    found: list[int] = []

    def work(worker: int) -> None:
        for number in range(each):
            tray.lay(outcome(worker * each + number), urgent=number % 7 == 0)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()

    def all_are_found() -> bool:
        found.extend(one.job.id for one in tray.take(64, 0.001, 0.001).outcomes)
        return len(found) == workers * each

    eventually(all_are_found, "all are taken")
    assert sorted(found) == list(range(workers * each))
