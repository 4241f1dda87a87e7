"""Status messages to systemd: datagrams to the socket in NOTIFY_SOCKET (sd_notify(3)).

Outside systemd there is no such socket, and nothing is sent.
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

_EXTENSION_SECONDS = 30  # asked for at a time, three times as often; systemd kills a start that hangs after so long
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends messages to systemd's socket, or nowhere where there is none."""

    address: str | None = None
    watchdog_seconds: float | None = None
    """systemd restarts the daemon after so long without a ping; None where the watchdog is off."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Notifier":
        """Read NOTIFY_SOCKET and WATCHDOG_USEC; ignore the latter where WATCHDOG_PID is another process."""
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        seconds = int(usec) / _MICROSECONDS if usec.isdecimal() and int(usec) and ours else None
        return cls(environ.get("NOTIFY_SOCKET") or None, seconds)

    def ready(self, status: str) -> None:
        """Report that the start or a reload is complete, with a status line."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Report that a reload has begun; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=loading new settings")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def ping_watchdog(self) -> None:
        """Report that the daemon is healthy."""
        self._send("WATCHDOG=1")

    def set_watchdog_timeout(self, seconds: float) -> None:
        """Replace the unit's WatchdogSec for this run."""
        self._send(f"WATCHDOG_USEC={round(seconds * _MICROSECONDS)}")

    def stopping(self) -> None:
        """Report that the daemon stops as requested."""
        self._send("STOPPING=1", "STATUS=stopping")

    @contextlib.contextmanager
    def extend_start_timeout(self, status: str) -> Iterator[None]:
        """Extend TimeoutStartSec while the context lasts (a large ledger's migration, say); show status meanwhile."""
        if self.address is None:
            yield
            return
        done = threading.Event()
        thread = threading.Thread(target=self._extend, args=(status, done), name="start-timeout", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _extend(self, status: str, done: threading.Event) -> None:
        while True:
            self._send(f"EXTEND_TIMEOUT_USEC={_EXTENSION_SECONDS * _MICROSECONDS}", f"STATUS={status}")
            if done.wait(_EXTENSION_SECONDS / 3):
                return

    def _send(self, *lines: str) -> None:
        if self.address is None:
            return
        # a leading @ stands for the abstract namespace, where the kernel expects a zero byte
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            log.warning("cannot send %s to systemd: %s", lines[0], error)
