"""What the daemon's log contains."""

import logging
from functools import partial
from pathlib import Path

import pytest

from dogid.daemon.result_log import log_outcomes
from dogid.errors import PhotoCode
from dogid.inbox.scan import Version
from dogid.ledger.outcomes import Failed, Job, Waiting
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put


def test_log_has_only_the_lines_of_dogid(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "broken.tif", photo(1, "TIFF", compression="tiff_lzw")[:-8])
    put(inbox / "whole.jpg", photo(2))
    daemon.wait_for_status("broken.tif", "failed")
    daemon.wait_for_classified("whole.jpg", photo(2))

    strange = [line for line in daemon.log_text().splitlines() if not line.startswith("20")]  # a date
    assert strange == []


def test_many_vanished_files_are_counted_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    version = Version(1, 1, 1, 1)
    jobs = [Job(at, b"%d.jpg" % at, version, 0, 0, None) for at in range(40)]
    for kind in (Failed, partial(Waiting, delay_ms=1)):
        log_outcomes([kind(job, version, PhotoCode.VANISHED, "gone") for job in jobs])
        log_outcomes([kind(job, version, PhotoCode.CORRUPT, "bad") for job in jobs])
    lines = [record.getMessage() for record in caplog.records if "vanished" in record.getMessage()]

    assert lines == [
        *(f"{at}.jpg: failed, vanished: gone" for at in range(3)),
        "37 more failed, vanished: removed or renamed before they could be read",
    ]
    assert len(caplog.records) == len(lines) + 80
