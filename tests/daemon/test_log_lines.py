"""What the daemon's log contains."""

from pathlib import Path

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put


def test_log_has_only_the_lines_of_dogid(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "broken.tif", photo(1, "TIFF", compression="tiff_lzw")[:-8])
    put(inbox / "whole.jpg", photo(2))
    daemon.wait_for_status("broken.tif", "failed")
    daemon.wait_for_classified("whole.jpg", photo(2))

    strange = [line for line in daemon.log_text().splitlines() if not line.startswith("20")]  # a date
    assert strange == []
