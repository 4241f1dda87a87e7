"""When a photo is believed to be broken, and when it is tried again."""

import pytest

from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job, Waiting
from dogid.pipeline.retry_policy import RetryPolicy, backoff_ms
from tests.support.clocks import SetClock

VERSION = Version(1, 100, 1)
GROWN = Version(1, 200, 2)


def settling() -> RetryPolicy:
    return RetryPolicy(5_000, SetClock([0, 10_000]))


def job(still_since: int = 9_000, attempts: int = 0, waits_for: str | None = None) -> Job:
    return Job(1, b"a.jpg", VERSION, still_since, attempts, waits_for)


@pytest.mark.parametrize("code", [PhotoCode.CORRUPT, PhotoCode.UNSUPPORTED, PhotoCode.TOO_LARGE])
def test_trouble_of_the_photo_fails_at_once(code: PhotoCode) -> None:
    verdict = settling().verdict(job(), VERSION, PhotoError(code, "bad"))

    assert isinstance(verdict, Failed)
    assert verdict.code is code


@pytest.mark.parametrize("code", [PhotoCode.TRUNCATED, PhotoCode.EMPTY])
def test_an_unfinished_photo_waits_until_it_has_been_still_for_the_settle_time(code: PhotoCode) -> None:
    rule = settling()
    error = PhotoError(code, "short")

    assert isinstance(rule.verdict(job(still_since=5_001), VERSION, error), Waiting)
    assert isinstance(rule.verdict(job(still_since=5_000), VERSION, error), Failed)


def test_a_photo_that_has_changed_is_still_from_now_on() -> None:
    verdict = settling().verdict(job(still_since=0), GROWN, PhotoError(PhotoCode.TRUNCATED, "short"))

    assert isinstance(verdict, Waiting)
    assert verdict.version == GROWN


def test_an_unfinished_photo_is_not_looked_at_later_than_it_settles() -> None:
    verdict = settling().verdict(job(still_since=5_100, attempts=20), VERSION, PhotoError(PhotoCode.EMPTY, "empty"))

    assert isinstance(verdict, Waiting)
    assert verdict.delay_ms <= 100


def test_a_photo_that_vanished_is_looked_for_twice() -> None:
    error = PhotoError(PhotoCode.VANISHED, "gone")

    assert isinstance(settling().verdict(job(), VERSION, error), Waiting)
    assert isinstance(settling().verdict(job(waits_for="vanished"), VERSION, error), Failed)


@pytest.mark.parametrize("attempts", [0, 1, 5, 10, 1000, 10**9])
def test_trouble_that_may_pass_is_never_given_up_and_waits_longer_each_time_up_to_a_minute(attempts: int) -> None:
    verdict = settling().trouble(job(attempts=attempts), "EACCES")

    assert verdict.code is PhotoCode.UNREADABLE
    longest = min(250 * 2 ** min(attempts, 20), 60_000)
    assert 0.75 * longest - 1 <= verdict.delay_ms <= longest


def test_photos_in_the_same_trouble_do_not_return_together() -> None:
    assert len({backoff_ms(8) for _ in range(50)}) > 10
