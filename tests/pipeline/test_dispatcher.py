"""Which photos are dispatched, and whose results are urgent."""

from collections.abc import Iterator, Set
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Failed, Job
from dogid.pipeline.dispatcher import JOBS_AHEAD, Dispatcher
from dogid.pipeline.job_queue import JobQueue


class RecordingQueue(JobQueue):
    """A queue without workers that notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[int] = []
        self.backlog: list[int] = []

    def enqueue(self, job: Job, *, arrived: bool) -> None:
        super().enqueue(job, arrived=arrived)
        (self.arrived if arrived else self.backlog).append(job.id)

    def prioritize(self, ids: Set[int]) -> None:
        super().prioritize(ids)
        self.arrived += [photo for photo in self.backlog if photo in ids]
        self.backlog = [photo for photo in self.backlog if photo not in ids]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path, lambda _: None, Clock())
    yield made
    made.close()


def observe(ledger: Ledger, first: int, count: int = 1) -> list[int]:
    return ledger.observe([FoundFile(b"%d.jpg" % at, Version(at, 1, at)) for at in range(first, first + count)])


def test_few_arrivals_need_no_room_and_are_urgent(ledger: Ledger) -> None:
    jobs = RecordingQueue()
    dispatcher = Dispatcher(ledger, jobs)
    observe(ledger, 0, 500)
    dispatcher.refill(2, woken=True)
    assert dispatcher.in_flight >= 2 * JOBS_AHEAD

    (arrival,) = observe(ledger, 1000)
    dispatcher.dispatch_arrivals([arrival], 2)

    assert jobs.arrived == [arrival]
    assert dispatcher.is_urgent(arrival)
    assert not any(dispatcher.is_urgent(photo) for photo in jobs.backlog)


def test_crowd_of_arrivals_is_not_urgent(ledger: Ledger) -> None:
    jobs = RecordingQueue()
    dispatcher = Dispatcher(ledger, jobs)
    crowd = [observe(ledger, number)[0] for number in range(20)]
    for arrival in crowd:
        dispatcher.dispatch_arrivals([arrival], 2)

    assert jobs.arrived == crowd
    assert sum(dispatcher.is_urgent(arrival) for arrival in crowd) == 4


def test_arrival_after_answered_ones_is_urgent(ledger: Ledger) -> None:
    jobs = RecordingQueue()
    dispatcher = Dispatcher(ledger, jobs)
    known = observe(ledger, 0, 20)
    claimed = ledger.claim_these(known)
    ledger.record([Failed(job, job.version, PhotoCode.CORRUPT, "damaged") for job in claimed])
    for number in known:
        dispatcher.dispatch_arrivals([number], 2)
    (arrival,) = observe(ledger, 100)
    dispatcher.dispatch_arrivals([arrival], 2)

    assert jobs.arrived == [arrival]
    assert dispatcher.is_urgent(arrival)


def test_arrival_dispatched_with_the_backlog_becomes_urgent(ledger: Ledger) -> None:
    jobs = RecordingQueue()
    dispatcher = Dispatcher(ledger, jobs)
    ids = observe(ledger, 0, 3)
    dispatcher.refill(2, woken=True)
    dispatcher.dispatch_arrivals(ids[-1:], 2)

    assert jobs.arrived == ids[-1:]
    assert dispatcher.is_urgent(ids[-1])
    assert not dispatcher.is_urgent(ids[0])


def test_last_ones_of_a_crowd_are_urgent(ledger: Ledger) -> None:
    jobs = RecordingQueue()
    dispatcher = Dispatcher(ledger, jobs)
    crowd = [observe(ledger, number)[0] for number in range(20)]
    for arrival in crowd:
        dispatcher.dispatch_arrivals([arrival], 2)
    dispatcher.release(crowd[:15])
    assert not any(dispatcher.is_urgent(arrival) for arrival in crowd)

    dispatcher.release([crowd[15]])

    assert {arrival for arrival in crowd if dispatcher.is_urgent(arrival)} == set(crowd[16:])


def test_oldest_photos_are_dispatched_too(ledger: Ledger) -> None:
    jobs = RecordingQueue()
    dispatcher = Dispatcher(ledger, jobs)
    ids = observe(ledger, 0, 1000)
    dispatcher.refill(2, woken=True)

    assert set(ids[:2]) <= set(jobs.backlog)
    assert set(ids[-JOBS_AHEAD:]) <= set(jobs.backlog)
    dispatcher.release(jobs.backlog)
    assert dispatcher.in_flight == 0


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("known_before", [True, False])
def test_photo_after_a_crowd_does_not_wait_for_it(ledger: Ledger, at_once: int, known_before: bool) -> None:
    queue = JobQueue()
    dispatcher = Dispatcher(ledger, queue)
    crowd = observe(ledger, 0, 600)
    if known_before:
        dispatcher.refill(2, woken=True)
    for begin in range(0, 600, at_once):
        dispatcher.dispatch_arrivals(crowd[begin : begin + at_once], 2)
        dispatcher.refill(2, woken=True)
    (late,) = observe(ledger, 1000)
    dispatcher.dispatch_arrivals([late], 2)

    order: list[int] = []
    woken = True  # until the ledger has been looked at, as the pipeline has it
    while late not in order and len(order) < 200:
        woken = not dispatcher.refill(2, woken=woken) and woken
        job = queue.next_task(0)
        assert isinstance(job, Job)
        dispatcher.release([job.id])
        order.append(job.id)

    # the places of two workers, and the turns that the backlog's old end has among them
    assert order.index(late) < 80


def test_hanging_arrival_is_not_waited_for(ledger: Ledger) -> None:
    clock = [100.0]
    dispatcher = Dispatcher(ledger, JobQueue(), lambda: clock[0])
    expects_arrivals = [dispatcher.expects_arrivals]
    dispatcher.dispatch_arrivals(observe(ledger, 0), 2)
    expects_arrivals.append(dispatcher.expects_arrivals)
    clock[0] += 2
    expects_arrivals.append(dispatcher.expects_arrivals)
    dispatcher.dispatch_arrivals(observe(ledger, 1), 2)
    expects_arrivals.append(dispatcher.expects_arrivals)

    assert expects_arrivals == [False, True, False, True]
