"""How soon after its result an event is at the other side: broker, webhook and command together, while photos come.

`python -m tests.benchmarks.event_latency` has photos come one by one, at random moments, and a rule that all of them
pass. The time is from the result's own (`classified_at`, when it is about to be committed) until the client of the
broker, the HTTP server or the program has the event.
"""

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dogid.ledger.database import open_for_reading
from tests.benchmarks.daemon_lap import daemon, disk
from tests.benchmarks.responsiveness import percentile
from tests.outputs.http_receiver import Handler, receiving, reply
from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.outputs.mqtt.subscriber import Subscriber
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

Arrivals = dict[str, float]
"""When the event of a file came, in seconds since 1970."""
_PROGRAM = """at=$(date +%s%N)
printf '%s ' "$at" >> {file}
cat >> {file}
"""
_REST_SECONDS = 1.0


@contextlib.contextmanager
def receivers(folder: Path) -> Iterator[tuple[str, "Receivers"]]:
    """The other sides, and the settings that send to them."""
    program, noted = folder / "note", folder / "noted"
    program.write_text(_PROGRAM.format(file=noted))
    noted.touch()
    requests = Arrivals()

    def answer(handler: Handler) -> None:
        at = time.time()
        reply()(handler)
        requests[_file_of(handler.receiver.requests[-1].body, "data")] = at

    broker = Mosquitto(folder / "broker", "allow_anonymous true", "log_dest none").start()
    try:
        with receiving(answer) as server:
            subscriber = Subscriber(broker.port)
            settings = f"""
[outputs.mqtt]
type = "mqtt"
url = "{broker.url}"

[outputs.webhook]
type = "webhook"
url = "{server.url}"

[outputs.command]
type = "command"
command = ["/bin/sh", "{program}"]

[[rule]]
to = ["mqtt", "webhook", "command"]
"""
            try:
                yield settings, Receivers(subscriber, requests, noted)
            finally:
                subscriber.close()
    finally:
        broker.kill()


class Receivers:
    """What has arrived where."""

    def __init__(self, subscriber: Subscriber, requests: Arrivals, noted: Path) -> None:
        self._subscriber = subscriber
        self._requests = requests
        self._noted = noted

    def arrivals(self) -> Mapping[str, Arrivals]:
        """By output, when each file's event came."""
        events = (each for each in list(self._subscriber.received) if each.topic.endswith("/event"))
        lines = (line.partition(b" ") for line in self._noted.read_bytes().splitlines() if line.endswith(b"}"))
        return {
            "mqtt": {_file_of(each.payload): each.at for each in events},
            "webhook": dict(self._requests),
            "command": {_file_of(event): int(at) / 1e9 for at, _, event in lines},
        }


def _file_of(document: bytes, part: str | None = None) -> str:
    event: dict[str, Any] = json.loads(document)
    return str((event if part is None else event[part])["result"]["file"])


def let_photos_come(process: DaemonProcess, count: int, rate: float) -> None:
    """Put photos into the inbox at random moments, so many in a second."""
    chance, due = random.Random(1), time.time()
    for number in range(count):
        data = photo(number, size=(640, 480))
        due += chance.expovariate(rate)
        time.sleep(max(0.0, due - time.time()))
        put(process.inbox / f"{number:05d}.jpg", data)


def main() -> None:
    """Print the latencies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rate", type=float, default=5.0, help="photos per second")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dogid-events-", dir=disk()) as folder,
        receivers(Path(folder)) as (settings, others),
    ):
        config = Path(folder) / "dogid.toml"
        config.write_text(settings)
        with daemon(Path("/dev/shm"), "--config", str(config)) as process:
            time.sleep(_REST_SECONDS)
            let_photos_come(process, args.photos, args.rate)
            deadline = time.monotonic() + 60
            while any(len(found) < args.photos for found in others.arrivals().values()):
                assert time.monotonic() < deadline, {name: len(found) for name, found in others.arrivals().items()}
                time.sleep(0.1)
            answered, arrivals = _read_times(process), others.arrivals()
    for name, found in arrivals.items():
        took = [1000 * at - answered[file] for file, at in found.items()]
        figures = ", ".join(f"p{share} {percentile(took, share):.0f}" for share in (50, 95, 99))
        print(f"{name}: {figures}, longest {max(took):.0f} ms, of {len(took)} events")  # noqa: T201


def _read_times(process: DaemonProcess) -> dict[str, float]:
    """When each photo was answered, in milliseconds since 1970."""
    with contextlib.closing(open_for_reading(process.state)) as db:
        return {bytes(path).decode(): at for path, at in db.execute("SELECT path, classified_at FROM photo")}


if __name__ == "__main__":
    main()
