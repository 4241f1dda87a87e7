"""How many workers there are, and what becomes of those that do not come back from a photo in time."""

from hashlib import sha256
from pathlib import Path

import pytest

from dogid.errors import DogidError, PhotoCode
from dogid.ledger.outcomes import Failed
from tests.support.engines import Hanging, Pool, refuse_worker_threads
from tests.support.waiting import eventually


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that gives no threads for workers, until the patch is undone."""
    refuse_worker_threads(monkeypatch)
    return monkeypatch


def test_more_and_fewer_workers_all_pass_the_check(pool: Pool) -> None:
    for count in (5, 1, 3):
        pool.workers.resize(count)

        assert pool.workers.count == count
        assert pool.check() is None


def test_dismissed_worker_finishes_its_photo(pool: Pool, hanging: Hanging) -> None:
    pool.add(1, b"hangs.jpg")
    hanging.wait()
    pool.workers.resize(0)
    hanging.release()

    assert pool.next_outcome().job.id == 1


def test_hanging_worker_is_replaced_and_reported_while_it_lives(
    impatient_pool: Pool, hanging: Hanging, inbox: Path
) -> None:
    pool = impatient_pool
    pool.add(1, b"hangs.jpg")
    hanging.wait()
    pool.workers.fail_timed_out()
    failed = pool.next_outcome()

    assert isinstance(failed, Failed)
    assert (failed.job.id, failed.code) == (1, PhotoCode.TOO_LARGE)
    assert failed.sha256 == sha256((inbox / "hangs.jpg").read_bytes()).hexdigest()
    assert pool.workers.count == 1
    assert "still hangs from hangs.jpg" in (pool.check() or "")
    hanging.release()
    eventually(lambda: pool.check() is None, "with the late thread gone all is well")
    assert pool.finished.empty()


def test_dismissed_worker_that_hangs_fails_its_photo(impatient_pool: Pool, hanging: Hanging) -> None:
    pool = impatient_pool
    pool.add(1, b"hangs.jpg")
    hanging.wait()
    pool.workers.resize(0)
    pool.workers.fail_timed_out()
    failed = pool.next_outcome()

    assert isinstance(failed, Failed)
    assert (failed.job.id, failed.code) == (1, PhotoCode.TOO_LARGE)
    pool.workers.fail_timed_out()
    assert pool.finished.empty()
    assert pool.workers.count == 0
    assert "still hangs from hangs.jpg" in (pool.check() or "")
    hanging.release()
    eventually(lambda: pool.check() is None, "with the late thread gone all is well")
    assert pool.finished.empty()


def test_refused_threads_leave_the_workers_as_they_were(pool: Pool, no_threads: pytest.MonkeyPatch) -> None:
    with pytest.raises(DogidError, match="2 of 5 workers could be started"):
        pool.workers.resize(5)

    assert pool.workers.count == 2
    assert pool.check() is None
    no_threads.undo()
    pool.workers.resize(5)
    assert pool.check() is None


def test_missing_worker_is_started_once_there_are_threads(
    impatient_pool: Pool, hanging: Hanging, no_threads: pytest.MonkeyPatch
) -> None:
    pool = impatient_pool
    pool.add(1, b"hangs.jpg")
    hanging.wait()
    pool.workers.fail_timed_out()
    assert pool.next_outcome().job.id == 1
    hanging.release()
    eventually(lambda: "workers are missing" in (pool.check() or ""), "the late thread is gone, and was not replaced")
    no_threads.undo()

    assert pool.check() is None
    assert pool.workers.count == 1
