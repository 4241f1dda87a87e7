"""Those who use a daemon at the same time in a soak, each in a thread of its own."""

import contextlib
import http.client
import itertools
import json
import random
import signal
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.folder import Folder
from tests.soak.witness import Witness
from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch
from tests.support.waiting import TIMEOUT

_LISTEN_SECONDS = 20.0  # then a listener comes back, with the last event that it saw
_BURST = 100  # photos at once
_PATHS = ("/results", "/status", "/metrics", "/results?status=failed&limit=5", "/", "/healthz", "/openapi.json")


@dataclass(slots=True)
class Observations:
    """What the users saw that must not be, and how much they did."""

    faults: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    """The contents (sha256) of which results came as events."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """Count one thing done."""
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def fault(self, text: str) -> None:
        """Note what must not be; the first hundred are enough."""
        with self.lock:
            if len(self.faults) < 100:
                self.faults.append(text)


@dataclass(slots=True)
class Users:
    """Threads that use a daemon: some change the inbox, others only ask and listen."""

    daemon: DaemonProcess
    folder: Folder
    witness: Witness
    config: Path
    seen: Observations = field(default_factory=Observations)
    changes_end: threading.Event = field(default_factory=threading.Event)
    all_end: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, most_files: int, large_seconds: float) -> None:
        """Start all of them; a large photo comes every so many seconds."""
        changes, questions = self.changes_end, self.all_end
        self._repeat(0.12, "additions", self.folder.add, changes)
        self._repeat(0.5, "overwritings", self.folder.overwrite, changes)
        self._repeat(0.9, "renames", self.folder.rename, changes)
        self._repeat(0.8, "rotations", self.folder.rotate, changes)
        self._repeat(1.1, "exchanges", self.folder.exchange, changes)
        self._repeat(1.5, "links", self.folder.link, changes)
        self._repeat(large_seconds, "large photos", self.folder.add_large, changes)
        self._repeat(20.0, "bursts", lambda: self.folder.add_burst(_BURST), changes)
        self._repeat(2.0, "deletions", lambda: self.folder.delete_down_to(most_files), changes)
        self._repeat(5.0, "reloads", self._reload, changes)
        paths = itertools.cycle(_PATHS)
        self._repeat(0.3, "requests", lambda: self._request(next(paths)), questions)
        self._repeat(0.7, "uploads", self._upload, questions)
        self._repeat(0.6, "questions", self._ask_for_file, questions)
        self._repeat(0.4, "looks", self.witness.look, questions)
        for _ in range(2):
            self._start("listener", self._listen)

    def stop_changes(self) -> None:
        """Have nothing more changed; the others go on."""
        self.changes_end.set()

    def stop(self) -> None:
        """Stop them all, and wait until they have."""
        self.stop_changes()
        self.all_end.set()
        for thread in self.threads:
            thread.join(60)
            if thread.is_alive():
                self.seen.fault(f"{thread.name} has not come back")

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _repeat(self, seconds: float, what: str, do: Callable[[], None], end: threading.Event) -> None:
        """Do something every so many seconds on average, until the end."""

        def work() -> None:
            chance = random.Random(what)
            while not end.wait(chance.uniform(0.5, 1.5) * seconds):
                try:
                    do()
                    self.seen.count(what)
                except Exception as error:
                    self.seen.fault(f"{what}: {type(error).__name__}: {error}")

        self._start(what, work)

    def _reload(self) -> None:
        self.config.write_text(f"workers = {1 + self.seen.counts.get('reloads', 0) % 2}\n")
        self.daemon.send(signal.SIGHUP)

    def _request(self, path: str) -> None:
        reply = fetch(self.daemon.url, path)
        if reply.status != 200:
            self.seen.fault(f"{path}: {reply.status} {reply.body[:200]!r}")

    def _upload(self) -> None:
        content = self.folder.contents.make()
        reply = fetch(self.daemon.url, "/classify", method="POST", body=content.data)
        if reply.status == 503 and reply.code == "busy":
            self.seen.count("refused uploads")  # where the queue is full of large photos
        elif reply.status != 200 or reply.document["scores"] != content.scores:
            self.seen.fault(f"upload: {reply.status} {reply.body[:200]!r}")

    def _ask_for_file(self) -> None:
        with self.folder.lock:
            name = next(reversed(self.folder.files), None)
        if name is None:
            return
        status = fetch(self.daemon.url, f"/?file={urllib.parse.quote(name)}").status
        if status not in (200, 404, 422):  # it may be renamed or half written by now
            self.seen.fault(f"/?file={name}: {status}")

    def _listen(self) -> None:
        last = 0
        while not self.all_end.is_set():
            try:
                last = self._listen_once(last)
            except (OSError, http.client.HTTPException) as error:
                self.seen.fault(f"events: {type(error).__name__}: {error}")
                self.all_end.wait(1.0)

    def _listen_once(self, last: int) -> int:
        """Read events for a while, from after the event with the id last; return the last one's id."""
        place = urllib.parse.urlsplit(self.daemon.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", "/events", headers={"Last-Event-ID": str(last)})
            stream, response = connection.sock, connection.getresponse()
            stream.settimeout(5.0)  # between two events
            for number, result in self._events(response, time.monotonic() + _LISTEN_SECONDS):
                if number <= last:
                    self.seen.fault(f"events: {number} came after {last}")
                last = number
                with self.seen.lock:
                    self.seen.heard.add(result["sha256"])
                self.seen.count("events")
        return last

    def _events(self, response: http.client.HTTPResponse, until: float) -> Iterator[tuple[int, dict[str, str]]]:
        fields: dict[bytes, bytes] = {}
        while time.monotonic() < until and not self.all_end.is_set():
            try:
                line = response.readline()
            except TimeoutError:
                return  # a socket that timed out cannot be read from again; the listener comes back
            if not line:
                return
            if line == b"\n" and b"data" in fields:
                yield int(fields[b"id"]), json.loads(fields[b"data"])
                fields = {}
            elif not line.startswith((b":", b"\n")):
                name, _, value = line.rstrip(b"\n").partition(b": ")
                fields[name] = value
