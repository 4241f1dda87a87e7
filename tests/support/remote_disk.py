"""A network disk whose server can be stopped: a folder that is mounted again by bindfs, in FUSE."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import TIMEOUT, eventually


class RemoteDisk:
    """A folder that a mount point shows, for as long as its server answers."""

    def __init__(self, folder: Path, mount_point: Path) -> None:
        """Mount folder at mount_point. Skip the test where that cannot be done."""
        if shutil.which("bindfs") is None or not Path("/dev/fuse").exists() or os.geteuid() != 0:
            pytest.skip("needs bindfs (apt install bindfs), /dev/fuse and root")
        self.folder = folder
        self._mount_point = mount_point
        folder.mkdir(exist_ok=True)
        self._server = subprocess.Popen(["bindfs", "-f", "--no-allow-other", str(folder), str(mount_point)])
        eventually(lambda: os.path.ismount(mount_point), "the folder is mounted")

    def hang(self) -> None:
        """Answer nothing from now on."""
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Unmount it."""
        self.resume()
        subprocess.run(["umount", "--lazy", str(self._mount_point)], check=False)
        self._server.terminate()
        self._server.wait(TIMEOUT)
