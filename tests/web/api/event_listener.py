"""A client of /events."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.support.daemon import DaemonProcess
from tests.support.waiting import TIMEOUT


class Listener:
    """One connection to /events."""

    def __init__(self, daemon: DaemonProcess, last_event_id: int | None = None) -> None:
        place = urlsplit(daemon.url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=TIMEOUT)
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        self._connection.request("GET", "/events", headers=headers)
        self.response = self._connection.getresponse()
        # the first line comes when the daemon waits for new results
        assert self.response.readline() == b"retry: 2000\n"
        assert self.response.readline() == b"\n"

    def events(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield event ids and results as they come."""
        fields: dict[bytes, bytes] = {}
        for line in iter(self.response.readline, b""):
            if line == b"\n" and fields:
                assert fields[b"event"] in (b"result", b"review")
                yield int(fields[b"id"]), json.loads(fields[b"data"])
                fields = {}
            elif not line.startswith((b":", b"\n")):
                name, _, value = line.rstrip(b"\n").partition(b": ")
                fields[name] = value

    def receive(self, count: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the next events."""
        heard = self.events()
        return [next(heard) for _ in range(count)]

    def close(self) -> None:
        self.response.close()
        self._connection.close()
