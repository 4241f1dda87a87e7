"""A daemon that is killed again and again."""

import pytest

from tests.crash import harness

KILLS = 10  # `make crash TRIALS=1000` is the long form


@pytest.mark.timeout(600)
def test_kills_lose_nothing_and_repeat_nothing() -> None:
    report = harness.run(KILLS, seed=20)

    assert report.faults == []
    assert report.kills == KILLS
    assert report.in_backlog > 0
