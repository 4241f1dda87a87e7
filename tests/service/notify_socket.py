"""The receiving end of NOTIFY_SOCKET, in place of systemd (sd_notify(3))."""

import socket

from tests.support.waiting import TIMEOUT


class NotifySocket:
    """A datagram socket in place of systemd's."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(TIMEOUT)

    def receive(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(65536).decode().split("\n")

    def receive_until(self, *beginnings: str) -> list[str]:
        """Pass over messages until one has a line that begins so; return its lines."""
        while True:
            lines = self.receive()
            if any(line.startswith(beginnings) for line in lines):
                return lines

    def close(self) -> None:
        self._socket.close()
