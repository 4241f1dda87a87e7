"""Kill receivers and the real daemon at random while photos come, and count on the other side what has arrived.

`python -m tests.outputs.harness --outages 200` prints a report; an outage is a kill.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.outputs.receivers import Receiver, make_receiver
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo
from tests.support.waiting import eventually

KINDS = ("command", "http", "mqtt", "smtp")
PHOTOS_PER_OUTAGE = 10
_SIDE = 16  # pixels: photos are cheap, what is tried is what becomes of their results
_LONGEST_PAUSE = 0.6  # seconds between two outages, and of one
_DAEMON_EVERY = 4  # outages; the others are shared by the receivers
_FAULT_RATE = 0.01  # of what receivers have got, and answer wrongly
_LAST_SECONDS = 600.0  # for what is left at the end: outputs wait up to five minutes after many faults


@dataclass(slots=True)
class Report:
    """What happened, in figures."""

    photos: int = 0
    outages: Counter[str] = field(default_factory=Counter)
    received: dict[str, int] = field(default_factory=dict)
    """Messages by receiver, those that came again included."""
    repeated: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people."""
        kills = ", ".join(f"{count} of {name}" for name, count in sorted(self.outages.items()))
        lines = [f"{self.outages.total()} kills -9 over {self.photos} photos in {self.seconds:.0f} s: {kills}"]
        lines += [f"{name}: {self.received[name]} received, {self.repeated[name]} again" for name in self.received]
        return "\n".join([*lines, f"{len(self.faults)} faults", *(f"  {fault}" for fault in self.faults[:50])])


def run(outages: int, seed: int, kinds: Sequence[str] = KINDS, *, progress: bool = False) -> Report:
    """Have so many outages of outputs of these kinds and of the daemon; return what was found."""
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dogid-outages-") as folder:
        _run(Path(folder), outages, random.Random(seed), kinds, report, progress=progress)
    report.seconds = time.monotonic() - began
    return report


def _run(
    folder: Path, outages: int, chance: random.Random, kinds: Sequence[str], report: Report, *, progress: bool
) -> None:
    (folder / "inbox").mkdir()
    receivers = {kind: make_receiver(kind, folder, _FAULT_RATE) for kind in kinds}
    config = _write_settings(folder, receivers)
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--config", str(config), "--learning", "off")
    try:
        for receiver in receivers.values():
            receiver.start()
        daemon.start()
        for number in range(outages):
            for _ in range(PHOTOS_PER_OUTAGE):
                _add_photo(daemon.inbox, report)
            time.sleep(chance.uniform(0, _LONGEST_PAUSE))
            _have_outage(daemon, receivers, chance, report, is_daemons=number % _DAEMON_EVERY == 1)
            if progress:
                print(f"{number + 1} of {outages} outages", file=sys.stderr, flush=True)  # noqa: T201
        eventually(
            lambda: _has_answered(daemon, report.photos),
            lambda: f"all is answered: {daemon.log_text()[-3000:]}",
            _LAST_SECONDS,
        )
        daemon.kill()  # the next start tries at once what waits
        daemon.start()
        eventually(lambda: _has_sent_all(daemon), lambda: f"all is sent: {daemon.status()['outputs']}", _LAST_SECONDS)
        results = {result["file"]: result["id"] for result in daemon.results()}
        for name, receiver in receivers.items():
            _count(name, receiver.messages(), results, report)
        report.faults += [f"{state['name']}: parked {state['parked']}" for state in _outputs(daemon) if state["parked"]]
        daemon.stop()
    finally:
        daemon.close()
        for receiver in receivers.values():
            receiver.close()


def _write_settings(folder: Path, receivers: dict[str, Receiver]) -> Path:
    lines = [
        line for kind, receiver in receivers.items() for line in (f"[outputs.{kind}]", *receiver.describe_output())
    ]
    config = folder / "dogid.toml"
    config.write_text("\n".join([*lines, ""]))
    return config


def _add_photo(inbox: Path, report: Report) -> None:
    report.photos += 1
    hidden = inbox / ".next"
    hidden.write_bytes(photo(report.photos, size=(_SIDE, _SIDE)))
    hidden.rename(inbox / f"{report.photos:05}.jpg")


def _have_outage(
    daemon: DaemonProcess, receivers: dict[str, Receiver], chance: random.Random, report: Report, *, is_daemons: bool
) -> None:
    """Kill one of all, and start it again after a while; the daemon may just be starting."""
    mortal = sorted(receivers.keys() - {"command"})
    if is_daemons or not mortal:
        report.outages["the daemon"] += 1
        daemon.kill()
        daemon.start()
        return
    name = chance.choice(mortal)
    report.outages[name] += 1
    receivers[name].kill()
    time.sleep(chance.uniform(0, _LONGEST_PAUSE))
    receivers[name].start()


def _outputs(daemon: DaemonProcess) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = daemon.status()["outputs"]
    return states


def _has_answered(daemon: DaemonProcess, photos: int) -> bool:
    counts: dict[str, int] = daemon.status()["counts"]
    return counts == {"pending": 0, "classified": photos, "failed": 0}


def _has_sent_all(daemon: DaemonProcess) -> bool:
    return all(state["backlog"] == 0 for state in _outputs(daemon))


def _count(name: str, messages: list[dict[str, Any]], results: dict[str, int], report: Report) -> None:
    """Compare what a receiver has got with the results: all, in order, and again only with the same id."""
    first: dict[str, str] = {}
    last_seq = 0
    for message in messages:
        known = first.get(message["file"])
        if known is not None:
            if known != message["id"]:
                report.faults.append(f"{name}: {message['file']} came as {known} and as {message['id']}")
            continue
        first[message["file"]] = message["id"]
        seq = int(message["id"].split("-")[1])
        if seq < last_seq:
            report.faults.append(f"{name}: {message['id']} came after {last_seq}")
        last_seq = seq
        if message["result"] not in (None, results.get(message["file"])):
            report.faults.append(f"{name}: {message['file']} came with the result {message['result']}")
    report.faults += [f"{name}: {file} did not arrive" for file in sorted(set(results) - set(first))]
    report.received[name] = len(messages)
    report.repeated[name] = len(messages) - len(first)


def main() -> int:
    """Have the outages that the command line asks for; exit 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outages", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    args = parser.parse_args()
    report = run(args.outages, args.seed, args.kinds, progress=True)
    print(report.text())  # noqa: T201
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
