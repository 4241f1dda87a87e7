"""What commands say of a first start that failed."""

import subprocess
from pathlib import Path

from tests.conftest import MakeDaemon
from tests.support.privileges import needs_root


@needs_root
def test_commands_name_full_disk_at_first_start(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", state], check=True)
    try:
        daemon = make_daemon(state=state)
        daemon.launch()
        assert daemon.wait() == 1  # so that a service manager tries again
        for command in ("status", "learn"):
            printed = daemon.command(command)

            assert (printed.returncode, printed.stdout) == (2, "")
            assert f"{state}: the ledger cannot be written, as its disk is full; make room there" in printed.stderr
    finally:
        subprocess.run(["umount", "--lazy", state], check=True)
