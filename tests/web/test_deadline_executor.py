"""Tasks that hang keep neither their callers waiting nor the process from its end."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from dogid.web.deadline_executor import MAX_HUNG, BusyError, DeadlineExecutor, HungError
from tests.support.daemon import environment
from tests.support.waiting import TIMEOUT, eventually

SHORT, LONG = 0.05, 60.0  # seconds


@pytest.fixture
def go_on() -> Iterator[threading.Event]:
    """What tasks that hang wait for."""
    event = threading.Event()
    yield event
    event.set()


def test_tasks_run_in_one_thread_that_is_not_the_callers() -> None:
    executor = DeadlineExecutor("test", max_wait=LONG)
    threads = {executor.run(threading.get_ident, LONG) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_error_of_task_is_raised_even_a_timeout_of_the_disk() -> None:
    executor = DeadlineExecutor("test", max_wait=LONG)

    def times_out() -> None:
        raise TimeoutError("of the network")

    with pytest.raises(TimeoutError, match="of the network"):
        executor.run(times_out, LONG)
    assert executor.run(lambda: "next", LONG) == "next"


def test_thread_that_hangs_is_replaced(go_on: threading.Event) -> None:
    executor = DeadlineExecutor("test", max_wait=LONG)
    first = executor.run(threading.get_ident, LONG)
    with pytest.raises(HungError):
        executor.run(go_on.wait, SHORT)
    assert executor.run(threading.get_ident, LONG) != first


def test_threads_that_hang_are_few_until_one_comes_back(go_on: threading.Event) -> None:
    executor = DeadlineExecutor("hanging-few", max_wait=LONG)
    for _ in range(10):
        with pytest.raises(BusyError):
            executor.run(go_on.wait, SHORT)
    assert sum(thread.name == "hanging-few" for thread in threading.enumerate()) == MAX_HUNG

    go_on.set()

    def is_served() -> bool:
        try:
            return executor.run(lambda: True, LONG)
        except BusyError:
            return False

    eventually(is_served, "tasks are run again")


def test_callers_beyond_those_who_may_wait_are_refused_at_once() -> None:
    executor = DeadlineExecutor("test", max_wait=LONG, max_waiting=0)
    with executor.slot(), pytest.raises(BusyError), executor.slot():
        pass
    assert executor.run(lambda: "free again", LONG) == "free again"


def test_as_many_tasks_run_at_once_as_there_are_threads() -> None:
    executor = DeadlineExecutor("test", max_wait=SHORT, threads=2)
    both = threading.Barrier(2)
    with executor.slot() as first, executor.slot() as second:
        other = threading.Thread(target=lambda: first.run(both.wait, LONG))
        other.start()
        assert second.run(both.wait, LONG) in (0, 1)
        other.join()
        with pytest.raises(BusyError):
            executor.run(lambda: None, LONG)


def test_process_ends_though_a_task_hangs() -> None:
    program = (
        "import threading\n"
        "from dogid.web.deadline_executor import HungError, DeadlineExecutor\n"
        "try: DeadlineExecutor('test', max_wait=1).run(threading.Event().wait, 0.05)\n"
        "except HungError: print('hung')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, timeout=TIMEOUT, check=True
    )
    assert done.stdout == "hung\n"
