"""Telling systemd how the daemon is doing: datagrams to the socket that it names (sd_notify(3)).

Outside systemd there is no socket, and every message goes nowhere.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)

_EXTENSION_SECONDS = 30
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Notifier:
    """Where to send, and how often systemd wants to hear that all is well."""

    address: str | None = None
    watchdog_seconds: float | None = None
    """Without a ping for so long systemd ends the daemon; None where it does not watch."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Notifier":
        """Read NOTIFY_SOCKET and WATCHDOG_USEC, the latter only where it is meant for this process."""
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(usec) / _MICROSECONDS if usec.isdecimal() and int(usec) and ours else None
        return cls(environ.get("NOTIFY_SOCKET") or None, seconds)

    def ready(self, status: str) -> None:
        """The daemon does its work, for the first time or again after a reload."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """New settings are being loaded; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=loading new settings")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """Everything that must work does work."""
        self._send("WATCHDOG=1")

    def expect_ping_within(self, seconds: float) -> None:
        """Have systemd wait longer for a ping than its unit says."""
        self._send(f"WATCHDOG_USEC={round(seconds * _MICROSECONDS)}")

    def stopping(self) -> None:
        """The daemon ends, as it was asked to."""
        self._send("STOPPING=1", "STATUS=stopping")

    @contextlib.contextmanager
    def patience(self, what: str) -> Iterator[None]:
        """Ask systemd not to lose patience with the start while the context lasts: a large ledger's migration, say."""
        if self.address is None:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._extend, args=(what, done), name="patience", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _extend(self, what: str, done: threading.Event) -> None:
        while True:
            self._send(f"EXTEND_TIMEOUT_USEC={_EXTENSION_SECONDS * _MICROSECONDS}", f"STATUS={what}")
            if done.wait(_EXTENSION_SECONDS / 3):
                return

    def _send(self, *lines: str) -> None:
        if self.address is None:
            return
        # a name that begins with @ lies in the abstract namespace, where the kernel wants a zero byte
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("systemd could not be told %s: %s", lines[0], error)
