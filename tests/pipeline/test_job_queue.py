"""In which order photos are worked on."""

from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Job
from dogid.pipeline.job_queue import JobQueue, WorkerCommand


def job(number: int) -> Job:
    return Job(number, b"%d.jpg" % number, Version(number, 1, 1), 0, 0, None)


def taken(queue: JobQueue, count: int) -> list[int]:
    found = [queue.take(0) for _ in range(count)]
    return [photo.id for photo in found if isinstance(photo, Job)]


def test_arrivals_go_before_the_backlog_in_their_order_and_the_backlog_from_its_new_end() -> None:
    queue = JobQueue()
    for number in (3, 1, 2):
        queue.put(job(number), arrived=False)
    for number in (10, 12, 11):
        queue.put(job(number), arrived=True)

    assert taken(queue, 6) == [10, 12, 11, 3, 2, 1]


def test_one_photo_in_eight_is_the_oldest_of_the_backlog() -> None:
    queue = JobQueue()
    for number in range(100):
        queue.put(job(number), arrived=False)

    assert taken(queue, 16) == [99, 98, 97, 96, 95, 94, 93, 0, 92, 91, 90, 89, 88, 87, 86, 1]


def test_a_stream_of_arrivals_does_not_starve_the_backlog() -> None:
    queue = JobQueue()
    for number in range(2):
        queue.put(job(number), arrived=False)
    for number in range(100, 140):
        queue.put(job(number), arrived=True)

    order = taken(queue, 32)
    assert [order.index(0), order.index(1)] == [15, 31]


def test_a_photo_of_the_backlog_whose_word_comes_later_goes_among_the_arrivals() -> None:
    queue = JobQueue()
    for number in range(5):
        queue.put(job(number), arrived=False)
    queue.put(job(10), arrived=True)
    queue.hurry({2, 77})

    assert taken(queue, 6) == [10, 2, 4, 3, 1, 0]


def test_errands_come_before_photos_and_only_to_their_worker() -> None:
    queue = JobQueue()
    queue.put(job(1), arrived=True)
    queue.send(1, WorkerCommand.PROVE)

    assert isinstance(queue.take(0), Job)
    assert queue.take(1) is WorkerCommand.PROVE
