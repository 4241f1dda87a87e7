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


@pytest.mark.parametrize("code", [PhotoCode.CORRUPT, PhotoCode.UNSUPPORTED, PhotoCode.TOO_LARGE])
def test_broken_photo_fails_at_once(code: PhotoCode) -> None:
    outcome = policy().on_photo_error(job(), VERSION, PhotoError(code, "bad"))

    assert isinstance(outcome, Failed)
    assert outcome.code is code


@pytest.mark.parametrize("code", [PhotoCode.TRUNCATED, PhotoCode.EMPTY])
def test_unfinished_photo_waits_for_the_settle_time(code: PhotoCode) -> None:
    retry_policy = policy()
    error = PhotoError(code, "short")

    assert isinstance(retry_policy.on_photo_error(job(unchanged_since=5_001), VERSION, error), Waiting)
    assert isinstance(retry_policy.on_photo_error(job(unchanged_since=5_000), VERSION, error), Failed)


def test_changed_photo_settles_anew() -> None:
    outcome = policy().on_photo_error(job(unchanged_since=0), GROWN, PhotoError(PhotoCode.TRUNCATED, "short"))

    assert isinstance(outcome, Waiting)
    assert outcome.version == GROWN


def test_unfinished_photo_is_retried_when_it_settles() -> None:
    outcome = policy().on_photo_error(
        job(unchanged_since=5_100, attempts=20), VERSION, PhotoError(PhotoCode.EMPTY, "empty")
    )

    assert isinstance(outcome, Waiting)
    assert outcome.delay_ms <= 100


def test_vanished_photo_is_looked_for_twice() -> None:
    error = PhotoError(PhotoCode.VANISHED, "gone")

    assert isinstance(policy().on_photo_error(job(), VERSION, error), Waiting)
    assert isinstance(policy().on_photo_error(job(last_error="vanished"), VERSION, error), Failed)


@pytest.mark.parametrize("attempts", [0, 1, 5, 10, 1000, 10**9])
def test_io_errors_are_retried_for_ever_at_most_a_minute_apart(attempts: int) -> None:
    outcome = policy().on_io_error(job(attempts=attempts), "EACCES")

    assert outcome.code is PhotoCode.UNREADABLE
    longest = min(250 * 2 ** min(attempts, 20), 60_000)
    assert 0.75 * longest - 1 <= outcome.delay_ms <= longest


def test_internal_errors_fail_after_eight_attempts() -> None:
    outcomes = [policy().on_internal_error(job(attempts=at, last_error="internal"), "a bug") for at in range(1, 8)]

    assert [type(outcome) for outcome in outcomes] == [Waiting] * 6 + [Failed]
    assert {outcome.code for outcome in outcomes} == {PhotoCode.INTERNAL}
    assert "8 attempts" in outcomes[-1].message


def test_model_that_fails_on_a_photo_is_an_internal_error() -> None:
    outcome = policy().on_photo_error(job(), VERSION, PhotoError(PhotoCode.INTERNAL, "the model returned NaN"))

    assert isinstance(outcome, Waiting)


def test_internal_error_after_other_errors_is_retried() -> None:
    assert isinstance(policy().on_internal_error(job(attempts=100, last_error="unreadable"), "a bug"), Waiting)


def test_photos_with_the_same_error_return_apart() -> None:
    assert len({backoff_ms(8) for _ in range(50)}) > 10
