"""The short form of the soak; `make soak MINUTES=30` is the long one."""

import pytest

from tests.soak import harness

SECONDS = 40


@pytest.mark.timeout(400)
def test_steady_use_loses_nothing_and_grows_nothing() -> None:
    report = harness.run(SECONDS, longest_lag=30)  # beside other tests

    assert report.faults == []
    assert report.results > 100
    assert report.compared > 1000
    assert report.counts["events"] > report.changes["added"] / 2
