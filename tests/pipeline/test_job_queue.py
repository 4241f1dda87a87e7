"""In which order photos are classified."""

from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Job
from dogid.pipeline.job_queue import JobQueue, WorkerCommand


def job(number: int) -> Job:
    return Job(number, b"%d.jpg" % number, Version(number, 1, 1), 0, 0, None)


def next_ids(queue: JobQueue, count: int) -> list[int]:
    found = [queue.next_task(0) for _ in range(count)]
    return [photo.id for photo in found if isinstance(photo, Job)]


def test_arrivals_come_first_then_the_newest_of_the_backlog() -> None:
    queue = JobQueue()
    for number in (3, 1, 2):
        queue.enqueue(job(number), arrived=False)
    for number in (10, 12, 11):
        queue.enqueue(job(number), arrived=True)

    assert next_ids(queue, 6) == [10, 12, 11, 3, 2, 1]


def test_one_photo_in_eight_is_the_oldest_of_the_backlog() -> None:
    queue = JobQueue()
    for number in range(100):
        queue.enqueue(job(number), arrived=False)

    assert next_ids(queue, 16) == [99, 98, 97, 96, 95, 94, 93, 0, 92, 91, 90, 89, 88, 87, 86, 1]


def test_stream_of_arrivals_does_not_starve_the_backlog() -> None:
    queue = JobQueue()
    for number in range(2):
        queue.enqueue(job(number), arrived=False)
    for number in range(100, 140):
        queue.enqueue(job(number), arrived=True)

    order = next_ids(queue, 32)
    assert [order.index(0), order.index(1)] == [15, 31]


def test_prioritized_photo_moves_to_the_arrivals() -> None:
    queue = JobQueue()
    for number in range(5):
        queue.enqueue(job(number), arrived=False)
    queue.enqueue(job(10), arrived=True)
    queue.prioritize({2, 77})

    assert next_ids(queue, 6) == [10, 2, 4, 3, 1, 0]


def test_commands_come_before_photos_to_their_worker_only() -> None:
    queue = JobQueue()
    queue.enqueue(job(1), arrived=True)
    queue.send_command(1, WorkerCommand.CHECK)

    assert isinstance(queue.next_task(0), Job)
    assert queue.next_task(1) is WorkerCommand.CHECK
