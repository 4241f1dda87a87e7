"""What is handed out, and whose result is told at once."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.errors import PhotoCode
from dogid.inbox.scan import FoundFile, Version
from dogid.ledger.ledger import Ledger
from dogid.ledger.outcomes import Failed, Job
from dogid.pipeline.dispatcher import JOBS_AHEAD, Dispatcher
from dogid.pipeline.job_queue import JobQueue


class Workers:
    """Take what they are given, and never begin."""

    def __init__(self) -> None:
        self.arrived: list[int] = []
        self.backlog: list[int] = []

    def put(self, job: Job, *, arrived: bool) -> None:
        (self.arrived if arrived else self.backlog).append(job.id)

    def hurry(self, ids: Collection[int]) -> None:
        self.arrived += [photo for photo in self.backlog if photo in ids]
        self.backlog = [photo for photo in self.backlog if photo not in ids]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path, lambda _: None, Clock())
    yield made
    made.close()


def notice(ledger: Ledger, first: int, count: int = 1) -> list[int]:
    return ledger.observe([FoundFile(b"%d.jpg" % at, Version(at, 1, at)) for at in range(first, first + count)])


def test_arrivals_need_no_room_and_are_told_at_once_while_they_are_few(ledger: Ledger) -> None:
    workers = Workers()
    photos = Dispatcher(ledger, workers)
    notice(ledger, 0, 500)
    photos.refill(2, woken=True)
    assert photos.in_hand >= 2 * JOBS_AHEAD

    (arrival,) = notice(ledger, 1000)
    photos.welcome([arrival], 2)

    assert workers.arrived == [arrival]
    assert photos.is_urgent(arrival)
    assert not any(photos.is_urgent(photo) for photo in workers.backlog)


def test_a_crowd_of_arrivals_is_not_told_one_by_one(ledger: Ledger) -> None:
    workers = Workers()
    photos = Dispatcher(ledger, workers)
    crowd = [notice(ledger, number)[0] for number in range(20)]
    for arrival in crowd:
        photos.welcome([arrival], 2)

    assert workers.arrived == crowd
    assert sum(photos.is_urgent(arrival) for arrival in crowd) == 4


def test_arrivals_that_are_answered_already_leave_the_next_ones_urgent(ledger: Ledger) -> None:
    workers = Workers()
    photos = Dispatcher(ledger, workers)
    known = notice(ledger, 0, 20)
    jobs = ledger.claim_these(known)
    ledger.record([Failed(job, job.version, PhotoCode.CORRUPT, "damaged") for job in jobs])
    for number in known:
        photos.welcome([number], 2)
    (arrival,) = notice(ledger, 100)
    photos.welcome([arrival], 2)

    assert workers.arrived == [arrival]
    assert photos.is_urgent(arrival)


def test_an_arrival_that_was_taken_up_with_the_backlog_is_urgent_all_the_same(ledger: Ledger) -> None:
    workers = Workers()
    photos = Dispatcher(ledger, workers)
    ids = notice(ledger, 0, 3)
    photos.refill(2, woken=True)
    photos.welcome(ids[-1:], 2)

    assert workers.arrived == ids[-1:]
    assert photos.is_urgent(ids[-1])
    assert not photos.is_urgent(ids[0])


def test_the_last_ones_of_a_crowd_are_told_at_once(ledger: Ledger) -> None:
    workers = Workers()
    photos = Dispatcher(ledger, workers)
    crowd = [notice(ledger, number)[0] for number in range(20)]
    for arrival in crowd:
        photos.welcome([arrival], 2)
    photos.done(crowd[:15])
    assert not any(photos.is_urgent(arrival) for arrival in crowd)

    photos.done([crowd[15]])

    assert {arrival for arrival in crowd if photos.is_urgent(arrival)} == set(crowd[16:])


def test_the_oldest_are_among_what_is_handed_out(ledger: Ledger) -> None:
    workers = Workers()
    photos = Dispatcher(ledger, workers)
    ids = notice(ledger, 0, 1000)
    photos.refill(2, woken=True)

    assert set(ids[:2]) <= set(workers.backlog)
    assert set(ids[-JOBS_AHEAD:]) <= set(workers.backlog)
    photos.done(workers.backlog)
    assert photos.in_hand == 0


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("known_before", [True, False])
def test_a_photo_that_comes_after_a_crowd_does_not_wait_for_it(
    ledger: Ledger, at_once: int, known_before: bool
) -> None:
    queue = JobQueue()
    photos = Dispatcher(ledger, queue)
    crowd = notice(ledger, 0, 600)
    if known_before:
        photos.refill(2, woken=True)
    for begin in range(0, 600, at_once):
        photos.welcome(crowd[begin : begin + at_once], 2)
        photos.refill(2, woken=True)
    (late,) = notice(ledger, 1000)
    photos.welcome([late], 2)

    order: list[int] = []
    woken = True  # until the ledger has been looked at, as the pipeline has it
    while late not in order and len(order) < 200:
        woken = not photos.refill(2, woken=woken) and woken
        job = queue.take(0)
        assert isinstance(job, Job)
        photos.done([job.id])
        order.append(job.id)

    # the places of two workers, and the turns that the backlog's old end has among them
    assert order.index(late) < 80


def test_an_arrival_that_hangs_is_not_waited_for(ledger: Ledger) -> None:
    clock = [100.0]
    photos = Dispatcher(ledger, Workers(), lambda: clock[0])
    has_arrivals = [photos.has_arrivals]
    photos.welcome(notice(ledger, 0), 2)
    has_arrivals.append(photos.has_arrivals)
    clock[0] += 2
    has_arrivals.append(photos.has_arrivals)
    photos.welcome(notice(ledger, 1), 2)
    has_arrivals.append(photos.has_arrivals)

    assert has_arrivals == [False, True, False, True]
