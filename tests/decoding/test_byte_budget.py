"""Photos share a number of bytes: in turn, large ones one at a time, and none waits for what can never be."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dogid.decoding.byte_budget import SMALL_BYTES, BudgetTimeoutError, ByteBudget, choose_capacity
from dogid.errors import PhotoCode, PhotoError
from tests.support.waiting import TIMEOUT, eventually

MB = 1 << 20
CAPACITY = 400 * MB


class Holder:
    """A thread that reserves bytes, and keeps them until it is released."""

    def __init__(self, pool: ThreadPoolExecutor, budget: ByteBudget, amount: int) -> None:
        self._release = threading.Event()
        self._holding = threading.Event()
        self._done: Future[None] = pool.submit(self._hold, budget, amount)

    def _hold(self, budget: ByteBudget, amount: int) -> None:
        with budget.reserve(amount):
            self._holding.set()
            assert self._release.wait(TIMEOUT)

    @property
    def holds(self) -> bool:
        return self._holding.is_set()

    def wait(self) -> None:
        assert self._holding.wait(TIMEOUT)

    def release(self) -> None:
        self._release.set()
        self._done.result(TIMEOUT)


Hold = Callable[[int], Holder]


@pytest.fixture
def budget() -> ByteBudget:
    return ByteBudget(CAPACITY, lambda: None)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


@pytest.fixture
def hold(budget: ByteBudget, pool: ThreadPoolExecutor) -> Hold:
    return lambda amount: Holder(pool, budget, amount)


def wait_until_queued(budget: ByteBudget, count: int) -> None:
    eventually(lambda: len(budget._waiting) == count, f"{count} wait")


def test_photos_that_fit_are_decoded_together(hold: Hold) -> None:
    held = [hold(90 * MB) for _ in range(4)]
    for holder in held:
        holder.wait()
    for holder in held:
        holder.release()


def test_photo_waits_for_its_memory(budget: ByteBudget, hold: Hold) -> None:
    first = [hold(100 * MB) for _ in range(4)]
    for holder in first:
        holder.wait()
    late = hold(90 * MB)
    wait_until_queued(budget, 1)
    assert not late.holds
    first[0].release()
    late.wait()
    for holder in (*first[1:], late):
        holder.release()


def test_large_photos_are_decoded_one_at_a_time(budget: ByteBudget, hold: Hold) -> None:
    large, other = hold(150 * MB), None
    large.wait()
    other = hold(150 * MB)
    wait_until_queued(budget, 1)
    assert not other.holds
    large.release()
    other.wait()
    other.release()


def test_stream_of_others_does_not_starve_a_large_photo(budget: ByteBudget, hold: Hold) -> None:
    first = hold(100 * MB)
    first.wait()
    large = hold(380 * MB)
    wait_until_queued(budget, 1)
    late = hold(90 * MB)
    wait_until_queued(budget, 2)
    assert not late.holds
    first.release()
    large.wait()
    assert not late.holds
    large.release()
    late.wait()
    late.release()


def test_small_photo_does_not_wait(budget: ByteBudget, hold: Hold) -> None:
    large = hold(CAPACITY)
    large.wait()
    with budget.reserve(SMALL_BYTES, max_wait=0):
        pass
    large.release()


def test_photo_beyond_the_budget_names_both_numbers(budget: ByteBudget) -> None:
    with (
        pytest.raises(PhotoError, match=r"takes about 500 MB of memory; 419 MB are there for that") as raised,
        budget.reserve(500_000_000),
    ):
        pass
    assert raised.value.code is PhotoCode.TOO_LARGE


def test_photo_that_waits_learns_of_a_smaller_budget(budget: ByteBudget, hold: Hold) -> None:
    first = hold(200 * MB)
    first.wait()
    second = hold(300 * MB)
    wait_until_queued(budget, 1)
    budget.change_capacity(100 * MB)
    with pytest.raises(PhotoError, match="memory"):
        second.release()
    first.release()


def test_impatient_caller_leaves_the_queue(budget: ByteBudget, hold: Hold) -> None:
    large = hold(CAPACITY)
    large.wait()
    with pytest.raises(BudgetTimeoutError), budget.reserve(100 * MB, max_wait=0.01):
        pass
    assert not budget._waiting
    large.release()


def test_machine_without_memory_is_an_error_that_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.decoding.byte_budget._SHORTAGE_SECONDS", 0)
    budget = ByteBudget(CAPACITY, lambda: 50_000_000)
    with pytest.raises(OSError, match=r"105 MB of memory, of which 50 MB are free"), budget.reserve(100 * MB):
        pass


def test_memory_granted_a_moment_ago_is_not_granted_again(pool: ThreadPoolExecutor) -> None:
    budget = ByteBudget(500 * MB, lambda: 120 * MB)  # nothing of what is granted has been allocated yet
    first = Holder(pool, budget, 100 * MB)
    first.wait()
    with pytest.raises(BudgetTimeoutError), budget.reserve(100 * MB, max_wait=0):
        pass
    with budget.reserve(20 * MB, max_wait=0):
        pass
    first.release()
    with budget.reserve(100 * MB, max_wait=0):
        pass


def test_memory_that_is_allocated_is_not_counted_twice(
    monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    free = [220 * MB]
    budget = ByteBudget(500 * MB, lambda: free[0])
    first = Holder(pool, budget, 100 * MB)
    first.wait()
    free[0] = 120 * MB  # as the system reports once the first photo has its memory
    monkeypatch.setattr("dogid.decoding.byte_budget._YOUNG_SECONDS", 0)
    with budget.reserve(100 * MB, max_wait=0):
        pass
    first.release()


def test_shortage_passes_once_others_give_memory_back(pool: ThreadPoolExecutor) -> None:
    free = [50 * MB]
    budget = ByteBudget(500 * MB, lambda: free[0])
    late = Holder(pool, budget, 100 * MB)
    wait_until_queued(budget, 1)
    assert not late.holds
    free[0] = 120 * MB
    late.wait()
    late.release()


def test_large_files_are_read_one_at_a_time(budget: ByteBudget) -> None:
    with (
        budget.file_turn(90 * MB),
        budget.file_turn(1 * MB),
        pytest.raises(BudgetTimeoutError),
        budget.file_turn(90 * MB, max_wait=0.01),
    ):
        pass
    with budget.file_turn(90 * MB, max_wait=0):
        pass


@pytest.mark.parametrize(
    ("limit", "capacity"), [(629_145_600, 385_401_920), (367_001_600, 201_901_120), (60_000_000, 32_000_000)]
)
def test_budget_is_what_the_daemon_leaves(monkeypatch: pytest.MonkeyPatch, limit: int, capacity: int) -> None:
    monkeypatch.setattr("dogid.decoding.byte_budget.memory_limit", lambda: limit)
    assert choose_capacity(0) == capacity
    assert choose_capacity(100) == 100_000_000
