"""When a photo is believed to be broken, and when it is tried again."""

import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job, Waiting
from dogid.pipeline.retry_policy import RetryPolicy, backoff_ms
from tests.support.clocks import SetClock

VERSION = Version(1, 100, 1)
GROWN = Version(1, 200, 2)


def policy() -> RetryPolicy:
    return RetryPolicy(5_000, SetClock([0, 10_000]))


def job(unchanged_since: int = 9_000, attempts: int = 0, last_error: str | None = None) -> Job:
    return Job(1, b"a.jpg", VERSION, unchanged_since, attempts, last_error)


def test_too_large_photo_fails_at_once() -> None:
    outcome = policy().on_photo_error(job(), GROWN, PhotoError(PhotoCode.TOO_LARGE, "bad"))

    message = "bad; once the limit is raised, it is tried again"
    assert outcome == Failed(job(), GROWN, PhotoCode.TOO_LARGE, message)


@pytest.mark.parametrize("code", [PhotoCode.CORRUPT, PhotoCode.UNSUPPORTED])
def test_broken_photo_is_retried_once_when_it_settles(code: PhotoCode) -> None:
    outcome = policy().on_photo_error(job(), VERSION, PhotoError(code, "bad"))

    assert isinstance(outcome, Waiting)
    assert outcome.delay_ms == 4_000


@pytest.mark.parametrize("code", [PhotoCode.TRUNCATED, PhotoCode.EMPTY, PhotoCode.CORRUPT, PhotoCode.UNSUPPORTED])
def test_unfinished_photo_waits_for_the_settle_time(code: PhotoCode) -> None:
    error = PhotoError(code, "short")
    settling, settled = job(unchanged_since=5_001), job(unchanged_since=5_000)

    assert policy().on_photo_error(settling, VERSION, error) == Waiting(settling, VERSION, code, "short", 1)
    assert policy().on_photo_error(settled, VERSION, error) == Failed(settled, VERSION, code, "short")


def test_incomplete_photo_waits_for_the_settle_time() -> None:
    settling, settled = job(unchanged_since=5_001), job(unchanged_since=5_000)

    waiting = policy().on_incomplete(settling, VERSION, "no end")
    assert waiting == Waiting(settling, VERSION, PhotoCode.TRUNCATED, "no end", 1)
    assert policy().on_incomplete(settled, VERSION, "no end") is None


def test_changed_photo_settles_again() -> None:
    old = job(unchanged_since=0, attempts=20)

    outcome = policy().on_photo_error(old, GROWN, PhotoError(PhotoCode.TRUNCATED, "short"))
    assert outcome == Waiting(old, GROWN, PhotoCode.TRUNCATED, "short", 2_000)
    assert policy().on_incomplete(old, GROWN, "short") == outcome


def test_unfinished_photo_is_first_retried_soon() -> None:
    outcome = policy().on_photo_error(job(), VERSION, PhotoError(PhotoCode.EMPTY, "empty"))

    assert isinstance(outcome, Waiting)
    assert 187 <= outcome.delay_ms <= 250


def test_unfinished_photo_is_retried_when_it_settles() -> None:
    settling = job(unchanged_since=5_100, attempts=20)

    outcome = policy().on_photo_error(settling, VERSION, PhotoError(PhotoCode.EMPTY, "empty"))
    assert outcome == Waiting(settling, VERSION, PhotoCode.EMPTY, "empty", 100)


@pytest.mark.parametrize(("attempts", "longest"), [(0, 250), (2, 1_000), (10**9, 2_000)])
def test_photo_that_changed_is_read_again_within_two_seconds(attempts: int, longest: int) -> None:
    growing = job(attempts=attempts)

    outcome = policy().on_change(growing, GROWN)
    message = "the file changed while it was read"
    assert outcome == Waiting(growing, GROWN, PhotoCode.TRUNCATED, message, outcome.delay_ms)
    assert 0.75 * longest - 1 <= outcome.delay_ms <= longest


def test_vanished_photo_is_looked_for_twice() -> None:
    error = PhotoError(PhotoCode.VANISHED, "gone")
    first, second = job(), job(last_error="vanished")

    assert policy().on_photo_error(first, VERSION, error) == Waiting(first, VERSION, PhotoCode.VANISHED, "gone", 2000)
    assert policy().on_photo_error(second, VERSION, error) == Failed(second, VERSION, PhotoCode.VANISHED, "gone")


@pytest.mark.parametrize("attempts", [0, 1, 5, 10, 1000, 10**9])
def test_io_errors_are_retried_for_ever_at_most_a_minute_apart(attempts: int) -> None:
    outcome = policy().on_io_error(job(attempts=attempts), "EACCES")

    assert outcome == Waiting(job(attempts=attempts), VERSION, PhotoCode.UNREADABLE, "EACCES", outcome.delay_ms)
    longest = min(250 * 2 ** min(attempts, 20), 60_000)
    assert 0.75 * longest - 1 <= outcome.delay_ms <= longest


def test_internal_errors_fail_after_eight_attempts() -> None:
    jobs = [job(attempts=at, last_error="internal") for at in range(1, 8)]
    *waiting, last = [policy().on_internal_error(job, "a bug") for job in jobs]

    assert [type(outcome) for outcome in waiting] == [Waiting] * 6
    message = "a bug; given up after 8 attempts, if the file changes it is tried again"
    assert last == Failed(jobs[-1], VERSION, PhotoCode.INTERNAL, message)


def test_model_that_fails_on_a_photo_is_an_internal_error() -> None:
    error = PhotoError(PhotoCode.INTERNAL, "the model returned NaN")
    fourth = job(attempts=4, last_error="internal")

    outcome = policy().on_photo_error(fourth, VERSION, error)
    assert isinstance(outcome, Waiting)
    assert outcome == Waiting(fourth, VERSION, PhotoCode.INTERNAL, "the model returned NaN", outcome.delay_ms)
    assert 3_000 <= outcome.delay_ms <= 4_000


def test_internal_error_after_other_errors_is_retried() -> None:
    assert isinstance(policy().on_internal_error(job(attempts=100, last_error="unreadable"), "a bug"), Waiting)


def test_photos_with_the_same_error_return_apart() -> None:
    assert len({backoff_ms(8) for _ in range(50)}) > 10


def test_delay_is_three_quarters_to_all_of_backoff() -> None:
    delays = [backoff_ms(2) for _ in range(2_000)]

    assert 750 <= min(delays) < 760
    assert 990 < max(delays) <= 1_000
