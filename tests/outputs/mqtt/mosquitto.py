"""A real broker, Debian's mosquitto, as a process of its own."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.ports import claim_port
from tests.support.waiting import TIMEOUT, eventually

PROGRAM = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Mosquitto:
    """A broker on a port of its own; it keeps nothing on the disk."""

    def __init__(self, folder: Path, *lines: str, listener: str = "listener {port} 127.0.0.1") -> None:
        """Skip the test where there is none. lines: of its configuration, in which {folder} is the folder."""
        if PROGRAM is None:
            without = pytest.fail if "mosquitto" in os.environ.get("DOGID_TESTS_NEED", "") else pytest.skip
            without("there is no MQTT broker: sudo apt install mosquitto")
        self.port = claim_port()
        self.folder = folder
        folder.mkdir(exist_ok=True)
        text = "\n".join(
            [listener, *(lines or ["allow_anonymous true"]), "user root", "log_type all", "log_dest stderr", ""]
        )
        (folder / "mosquitto.conf").write_text(text.replace("{port}", str(self.port)).replace("{folder}", str(folder)))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> "Mosquitto":
        assert PROGRAM is not None
        with (self.folder / "log").open("ab") as log:
            command = [PROGRAM, "-c", str(self.folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        eventually(self._listens, lambda: f"mosquitto listens: {self.log()}")
        return self

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            process, self._process = self._process, None
            process.send_signal(signal.SIGKILL)
            process.send_signal(signal.SIGCONT)
            process.wait(TIMEOUT)
