"""A daemon that is killed again and again."""

import pytest

from tests.crash import harness

KILLS = 60


@pytest.mark.timeout(600)
def test_sixty_kills_lose_nothing_and_do_nothing_twice() -> None:
    report = harness.run(KILLS, seed=20)

    assert report.faults == []
    assert report.kills == KILLS
    assert report.in_backlog > 0
