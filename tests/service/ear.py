"""A socket in systemd's place, which hears what the daemon tells."""

import socket

from tests.support.waiting import PATIENCE


class Ear:
    """A socket in systemd's place."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(PATIENCE)

    def hear(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(65536).decode().split("\n")

    def hear_of(self, *beginnings: str) -> list[str]:
        """Pass over messages until one has a line that begins so; return its lines."""
        while True:
            lines = self.hear()
            if any(line.startswith(beginnings) for line in lines):
                return lines

    def close(self) -> None:
        self._socket.close()
