"""How outcomes wait for each other, and which messages do not wait."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dogid.errors import PhotoCode
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job
from dogid.pipeline.mailbox import Mailbox, Messages
from tests.support.waiting import TIMEOUT, eventually

LONG = 600.0


def outcome(number: int) -> Failed:
    version = Version(number, 1, 1)
    return Failed(Job(number, b"a.jpg", version, 0, 0, None), version, PhotoCode.CORRUPT, "damaged")


class Reader:
    """Drains a mailbox in a thread of its own."""

    def __init__(self, mailbox: Mailbox, enough: int) -> None:
        pool = ThreadPoolExecutor(1)
        self._messages: Future[Messages] = pool.submit(mailbox.drain, enough, LONG, LONG)
        pool.shutdown(wait=False)

    def is_waiting(self) -> bool:
        return not self._messages.done()

    @property
    def messages(self) -> Messages:
        return self._messages.result(TIMEOUT)

    def ids(self) -> list[int]:
        return [found.job.id for found in self.messages.outcomes]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


def test_outcomes_are_delivered_once_there_are_enough(mailbox: Mailbox) -> None:
    reader = Reader(mailbox, enough=3)
    mailbox.add_outcome(outcome(1), urgent=False)
    mailbox.add_outcome(outcome(2), urgent=False)
    assert reader.is_waiting()
    mailbox.add_outcome(outcome(3), urgent=False)

    assert reader.ids() == [1, 2, 3]
    assert not mailbox.has_outcomes


def test_urgent_outcome_is_delivered_with_the_others(mailbox: Mailbox) -> None:
    reader = Reader(mailbox, enough=100)
    mailbox.add_outcome(outcome(1), urgent=False)
    assert reader.is_waiting()
    mailbox.add_outcome(outcome(2), urgent=True)

    assert reader.ids() == [1, 2]


def test_arrival_is_delivered_while_outcomes_wait(mailbox: Mailbox) -> None:
    reader = Reader(mailbox, enough=100)
    mailbox.add_outcome(outcome(1), urgent=False)
    mailbox.notify_pending([7])
    messages = reader.messages

    assert ([found.job.id for found in messages.outcomes], messages.woken, messages.arrived) == ([1], True, [7])
    assert mailbox.drain(1, 0.0, 0.0) == Messages([], woken=False, arrived=[])


def test_few_outcomes_wait_no_longer_than_gather(mailbox: Mailbox) -> None:
    mailbox.add_outcome(outcome(1), urgent=False)
    messages = mailbox.drain(100, 0.05, LONG)

    assert [found.job.id for found in messages.outcomes] == [1]


def test_outcomes_of_many_workers_are_all_delivered(mailbox: Mailbox) -> None:
    workers, each = 4, 500
    found: list[int] = []

    def work(worker: int) -> None:
        for number in range(each):
            mailbox.add_outcome(outcome(worker * each + number), urgent=number % 7 == 0)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()

    def all_are_found() -> bool:
        found.extend(one.job.id for one in mailbox.drain(64, 0.001, 0.001).outcomes)
        return len(found) == workers * each

    eventually(all_are_found, "all are delivered")
    assert sorted(found) == list(range(workers * each))
