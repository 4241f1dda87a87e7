"""Many results to catch up: how long it takes, in which memory, and how long live events wait meanwhile.

`python -m tests.benchmarks.outputs_catch_up` writes a ledger with so many results, and starts a daemon whose outputs
have all of them before them, and then one whose rules have. Photos come all the while; the time of an event is from its
result (`classified_at`) until the client of the broker has it. What has arrived is counted on the other side.
"""

import argparse
import contextlib
import itertools
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dogid.clock import Clock
from dogid.ledger.database import open_for_reading
from dogid.ledger.ledger import Ledger
from tests.benchmarks.daemon_lap import disk
from tests.benchmarks.process import cpu_seconds, peak_resident_mb
from tests.benchmarks.responsiveness import percentile
from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.outputs.mqtt.subscriber import Subscriber
from tests.outputs.receivers import Receiver, make_receiver
from tests.outputs.support import Answer, insert_results
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

_LABELS = ("pug", "poodle", "dachshund", "other")
_BETWEEN_PHOTOS = 0.5  # seconds
_KINDS = ("http", "jsonl", "csv")
_RULES = """
[[rule]]
name = "calm"
labels = ["nothing has it"]
cooldown = 600
to = ["mqtt"]

[[rule]]
name = "live"
folders = ["/"]
to = ["mqtt"]
"""


def add_results(state: Path, count: int) -> None:
    """Write so many results of photos that have left the inbox into a ledger."""
    clock = Clock()
    ledger = Ledger(state, lambda _: None, clock)
    ledger.register_model("m.tflite", "00", _LABELS)
    now = clock.wall_ms()
    answers = (Answer(f"camera {at % 5}", _LABELS[at % 4], 0.9, now, now) for at in range(count))
    while some := list(itertools.islice(answers, 10_000)):
        insert_results(ledger, some)
    ledger.connection.db.execute("UPDATE photo SET absent_at = ? WHERE absent_at IS NULL", (now,))
    ledger.close()


class Live:
    """Photos that come all the while."""

    def __init__(self, process: DaemonProcess) -> None:
        self._process = process
        self.count = 0

    def until_nothing_waits(self) -> float:
        """Let photos come until no output waits for anything; return the seconds that it took."""
        began = time.monotonic()
        while True:
            self.count += 1
            put(self._process.inbox / f"live-{time.time_ns()}.jpg", photo(time.time_ns() % 1_000_000, size=(640, 480)))
            time.sleep(_BETWEEN_PHOTOS)
            if all(state["backlog"] <= 1 for state in self._process.status()["outputs"]):
                return time.monotonic() - began


def print_events(process: DaemonProcess, subscriber: Subscriber, count: int) -> None:
    """Wait for the events of the last so many photos, and print how late they were."""
    topic = next(each.topic for each in subscriber.received if each.topic.endswith("/state")).replace("state", "event")
    deadline = time.monotonic() + 60
    while len(subscriber.on(topic)) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    with contextlib.closing(open_for_reading(process.state)) as db:
        answered = {bytes(path).decode(): at for path, at in db.execute("SELECT path, classified_at FROM photo")}
    late = [1000 * each.at - answered[each.json["result"]["file"]] for each in subscriber.on(topic)[-count:]]
    print(  # noqa: T201
        f"  live events: {len(late)} of {count}; p50 {percentile(late, 50):.0f} ms, p99 {percentile(late, 99):.0f} ms,"
        f" longest {max(late):.0f} ms"
    )


def print_arrivals(state: Path, subscriber: Subscriber, receivers: Sequence[Receiver]) -> None:
    """Print how much of the ledger arrived, in which order."""
    with contextlib.closing(open_for_reading(state)) as db:
        expected = [seq for (seq,) in db.execute("SELECT seq FROM photo WHERE seq IS NOT NULL ORDER BY seq")]
    found = {
        "mqtt": [json.loads(each.payload)["id"] for each in subscriber.received if each.topic.endswith("/results")]
    }
    found |= {kind: [each["id"] for each in other.messages()] for kind, other in zip(_KINDS, receivers, strict=True)}
    for name, ids in found.items():
        stream = ids[-1].partition("-")[0]
        seqs = [int(each.split("-")[1]) for each in ids if each.startswith(stream)]
        print(f"  {name}: {len(seqs)} received, all of the ledger in order: {seqs == expected}")  # noqa: T201


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=100_000)
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dogid-behind-", dir=disk())))
        (folder / "inbox").mkdir()
        broker = Mosquitto(folder / "broker", "allow_anonymous true", "log_dest none", "max_queued_messages 0").start()
        stack.callback(broker.kill)
        receivers = [make_receiver(kind, folder, 0.0) for kind in _KINDS]
        for receiver in receivers:
            receiver.start()
            stack.callback(receiver.close)
        tables = [
            "\n".join([f"[outputs.{kind}]", "from_start = true", *receiver.describe_output()])
            for kind, receiver in zip(_KINDS, receivers, strict=True)
        ]
        config = folder / "dogid.toml"
        broker_table = f'[outputs.mqtt]\ntype = "mqtt"\nurl = "{broker.url}"\nfrom_start = true\n'
        config.write_text("\n".join([*tables, broker_table, _RULES]))
        subscriber = Subscriber(broker.port)
        stack.callback(subscriber.close)
        state = folder / "state"
        (folder / "state").mkdir()

        def run() -> None:
            process = DaemonProcess(folder / "inbox", state, "--config", str(config), "--learning", "off")
            try:
                process.start()
                live = Live(process)
                seconds = live.until_nothing_waits()
                print(  # noqa: T201
                    f"  {seconds:.1f} s, {cpu_seconds(process.pid):.1f} s of the processor,"
                    f" {peak_resident_mb(process.pid):.0f} MB at most"
                )
                print_events(process, subscriber, live.count)
                process.stop()
            finally:
                process.close()

        print("nothing behind:")  # noqa: T201
        run()
        (state / "outputs.db").unlink()
        subscriber.received.clear()
        add_results(state, args.results)
        print(f"outputs {args.results} results behind:")  # noqa: T201
        run()
        print_arrivals(state, subscriber, receivers)
        add_results(state, args.results)
        print(f"rules and outputs {args.results} results behind:")  # noqa: T201
        run()


if __name__ == "__main__":
    main()
