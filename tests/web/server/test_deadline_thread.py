"""Work that hangs takes neither the visitors' patience nor the process with it."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from dogid.web.server.deadline_thread import BusyError, DeadlineThread
from tests.support.daemon import environment
from tests.support.waiting import eventually

HANGING, LONG = 0.05, 60.0  # seconds


class Limit:
    """How long an errand may take; a reload may change it."""

    def __init__(self) -> None:
        self.seconds = LONG

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def limit() -> Limit:
    return Limit()


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """What errands that hang wait for."""
    event = threading.Event()
    yield event
    event.set()


def test_errands_are_done_in_one_thread_which_is_not_the_visitors(limit: Limit) -> None:
    errands = DeadlineThread("test", LONG, limit)
    threads = {errands.run(threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_what_an_errand_raises_is_raised_even_a_timeout_of_the_disk(limit: Limit) -> None:
    errands = DeadlineThread("test", LONG, limit)

    def times_out() -> None:
        raise TimeoutError("of the network")

    with pytest.raises(TimeoutError, match="of the network"):
        errands.run(times_out)
    assert errands.run(lambda: "next") == "next"


def test_after_an_errand_that_hangs_another_thread_takes_over(limit: Limit, go_on: threading.Event) -> None:
    errands = DeadlineThread("test", LONG, limit)
    first = errands.run(threading.get_ident)
    limit.seconds = HANGING
    with pytest.raises(BusyError):
        errands.run(go_on.wait)
    limit.seconds = LONG
    assert errands.run(threading.get_ident) != first


def test_threads_that_hang_are_few_and_work_goes_on_when_one_comes_back(limit: Limit, go_on: threading.Event) -> None:
    errands = DeadlineThread("hanging-few", LONG, limit)
    limit.seconds = HANGING
    for _ in range(10):
        with pytest.raises(BusyError):
            errands.run(go_on.wait)
    assert sum(thread.name == "hanging-few" for thread in threading.enumerate()) == 3

    limit.seconds = LONG
    go_on.set()

    def is_served() -> bool:
        try:
            return errands.run(lambda: True)
        except BusyError:
            return False

    eventually(is_served, "errands are run again")


def test_the_process_ends_though_an_errand_hangs() -> None:
    program = (
        "import threading\n"
        "from dogid.web.server.deadline_thread import BusyError, DeadlineThread\n"
        "try: DeadlineThread('test', 1, lambda: 0.05).run(threading.Event().wait)\n"
        "except BusyError: print('busy')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "busy\n"
