"""An archive's rows against the daemon's results of the same photos."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.archive.archives import Batch, count_rows, make_archive, results_of
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import encode, picture, put
from tests.support.waiting import eventually

_OF_THE_RUN = ("id", "classified_at", "timings_ms", "present", "reviewed")
"""Fields of RESULT that the photo does not determine."""

_SECONDS = 240.0  # on a machine with much else to do


@pytest.mark.timeout(300)
def test_rows_equal_the_daemons_results(batch: Batch, make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    make_archive(inbox, photos=12)
    taken = picture(60)
    exif = taken.getexif()
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    put(inbox / "taken.jpg", encode(taken, "JPEG", exif=exif))
    put(inbox / "large.png", encode(Image.new("RGB", (2400, 2000), "green"), "PNG"))  # decoded in a process of its own
    put(inbox / "too-large.png", encode(Image.new("RGB", (3000, 2000), "red"), "PNG"))
    flags = ("--max-pixels", "5000000", "--workers", "2")

    run = batch(inbox, tmp_path / "out", *flags)
    daemon = make_daemon("--settle", "1", *flags).start()
    eventually(lambda: _count_answers(daemon) == 21, "all photos are answered", _SECONDS)

    expected = {name: _of_photo(result) for name, result in daemon.results_by_name().items()}
    found = {name: _of_photo(result) for name, result in results_of(tmp_path / "out").items()}
    assert found == expected
    assert found["taken.jpg"]["taken_at"] is not None
    failed = sorted(result["error"]["code"] for result in found.values() if result["error"])
    assert failed == ["empty", "too_large", "truncated", "truncated", "unsupported"]
    assert (run.status, run.summary["counts"]) == (1, {"classified": 16, "failed": 5})
    assert count_rows(tmp_path / "out") == 21


def _count_answers(daemon: DaemonProcess) -> int:
    counts = daemon.status()["counts"]
    return int(counts["classified"] + counts["failed"])


def _of_photo(result: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in result.items() if key not in _OF_THE_RUN}
