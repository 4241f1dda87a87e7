"""Receivers and the daemon that are killed again and again."""

import pytest

from tests.outputs import harness
from tests.outputs.mqtt.mosquitto import PROGRAM
from tests.outputs.receivers import KINDS

OUTAGES = 5  # `make outages OUTAGES=200` is the long form, also with mail, which takes a process for each few


@pytest.mark.timeout(300)
def test_outages_lose_nothing_and_repeat_with_the_same_id() -> None:
    kinds = [kind for kind in KINDS if kind != "smtp" and not (kind == "mqtt" and PROGRAM is None)]
    report = harness.run(OUTAGES, seed=3, kinds=kinds, patience=120)

    assert report.faults == []
    assert report.outages.total() == OUTAGES
    assert report.outages["the daemon"] > 0
    assert report.outages["http"] > 0
    assert PROGRAM is None or report.outages["mqtt"] > 0
    assert min(report.received.values()) > report.photos
    assert report.repeated["http"] > 0
