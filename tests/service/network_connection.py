"""HTTP to an address within another network namespace, without a process inside."""

import ctypes
import os
import socket
from http.client import HTTPConnection
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_TIMEOUT = 20  # seconds


class NetworkConnection(HTTPConnection):
    """A connection that is made within a network namespace."""

    def __init__(self, network: Path | str, address: str) -> None:
        """network: the namespace's file in /proc; address: host and port. Nothing is connected yet."""
        super().__init__(address, timeout=_TIMEOUT)
        self._network = network

    def connect(self) -> None:
        """Connect. Raise OSError where there is no such namespace, or nothing that listens there."""
        # a socket remains in the namespace in which its thread made it
        with open("/proc/thread-self/ns/net") as ours, open(self._network) as theirs:
            _enter(theirs.fileno())
            try:
                made = socket.socket()
            finally:
                _enter(ours.fileno())
        made.settimeout(_TIMEOUT)
        self.sock = made
        made.connect((self.host, self.port))


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
