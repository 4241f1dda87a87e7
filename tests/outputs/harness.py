"""Kill receivers and the real daemon at random while photos come, and count on the other side what has arrived.

`python -m tests.outputs.harness --outages 200` prints a report: each receiver and the daemon is killed so often, and
outputs that write files die with the daemon.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from dogid.outputs.files.sidecar import keyword_of
from tests.outputs.receivers import KINDS, SERVERS, Receiver, make_receiver
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo
from tests.support.waiting import eventually

PHOTOS_PER_OUTAGE = 10
OVERWRITTEN = "latest.jpg"
"""A name that gets another photo again and again, as cameras do it."""
_ONCE = frozenset({"jsonl", "csv", "rule", "sort"})
"""Kinds that recognise what is there already."""
_SEEDS = 1 << 32
_SIDE = 16  # pixels: photos are cheap, what is tried is what becomes of their results
_LONGEST_PAUSE = 0.4  # seconds between two outages, and of one
_DAEMON = "the daemon"
_DAEMON_EVERY = 4  # outages; the others are shared by the receivers
_FAULT_RATE = 0.01  # of what receivers have got, and answer wrongly
_PATIENCE = 600.0  # seconds for what is left at the end: outputs wait up to five minutes after many faults


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


def run(
    outages: int,
    seed: int,
    kinds: Sequence[str] = KINDS,
    *,
    each: bool = False,
    patience: float = _PATIENCE,
    progress: bool = False,
) -> Report:
    """Have so many outages of outputs of these kinds and of the daemon; return what was found.

    each: of every one of them so many, not of all together. patience: seconds in which all has to be answered at the
    end, and then to be sent.
    """
    report, began = Report(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dogid-outages-") as folder:
        _run(Path(folder), outages, random.Random(seed), kinds, report, each=each, patience=patience, progress=progress)
    report.seconds = time.monotonic() - began
    return report


def _run(
    folder: Path,
    outages: int,
    chance: random.Random,
    kinds: Sequence[str],
    report: Report,
    *,
    each: bool,
    patience: float,
    progress: bool,
) -> None:
    (folder / "inbox").mkdir()
    receivers = {kind: make_receiver(kind, folder, _FAULT_RATE) for kind in kinds}
    config = _write_settings(folder, receivers)
    # an output that waits for minutes after many faults gets versions that were overwritten since if they are kept
    flags = ("--learning", "off", "--keep-versions", "0")
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--config", str(config), *flags)
    try:
        for receiver in receivers.values():
            receiver.start()
        daemon.start()
        for number in range(outages):
            for _ in range(PHOTOS_PER_OUTAGE):
                report.photos += 1
                _put_photo(daemon.inbox, f"{report.photos:05}.jpg", report.photos)
            _put_photo(daemon.inbox, OVERWRITTEN, -number)
            mortal = sorted(receivers.keys() & set(SERVERS))
            if each:
                victims = chance.sample([*mortal, _DAEMON], len(mortal) + 1)
            else:
                victims = [_DAEMON if number % _DAEMON_EVERY == 1 or not mortal else chance.choice(mortal)]
            for victim in victims:
                time.sleep(chance.uniform(0, _LONGEST_PAUSE))
                report.outages[victim] += 1
                _have_outage(daemon, receivers, chance, victim)
            if progress:
                print(f"{number + 1} of {outages} rounds", file=sys.stderr, flush=True)  # noqa: T201
        eventually(
            lambda: _has_answered(daemon, report.photos + 1, outages),
            lambda: f"all is answered: {daemon.log_text()[-3000:]}",
            patience,
        )
        daemon.kill()  # the next start tries at once what waits
        daemon.start()
        eventually(lambda: _has_sent_all(daemon), lambda: f"all is sent: {daemon.status()['outputs']}", patience)
        results = daemon.results_by_name()
        with contextlib.suppress(AssertionError):  # then what did not arrive is named below
            eventually(lambda: _has_arrived(receivers, results), "what was sent arrives")
        messages = {name: receiver.messages() for name, receiver in receivers.items()}
        for name, received in messages.items():
            _count(name, received, results, report)
        _compare_versions(messages, report)
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


def _put_photo(inbox: Path, name: str, seed: int) -> None:
    hidden = inbox / ".next"
    hidden.write_bytes(_make_photo(seed))
    hidden.rename(inbox / name)


def _make_photo(seed: int) -> bytes:
    return photo(seed % _SEEDS, size=(_SIDE, _SIDE))


def _have_outage(daemon: DaemonProcess, receivers: dict[str, Receiver], chance: random.Random, victim: str) -> None:
    """Kill one of all, and start it again after a while; the daemon may just be starting."""
    if victim == _DAEMON:
        daemon.kill()
        daemon.start()
        return
    receivers[victim].kill()
    time.sleep(chance.uniform(0, _LONGEST_PAUSE))
    receivers[victim].start()


def _outputs(daemon: DaemonProcess) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = daemon.status()["outputs"]
    return states


def _has_answered(daemon: DaemonProcess, photos: int, outages: int) -> bool:
    """Return whether so many photos have their answer, the last of those that were overwritten among them."""
    found = daemon.results_by_name()
    last = sha256(_make_photo(1 - outages)).hexdigest()
    is_last = OVERWRITTEN in found and found[OVERWRITTEN]["sha256"] == last
    return is_last and len(found) == photos and {each["status"] for each in found.values()} == {"classified"}


def _has_sent_all(daemon: DaemonProcess) -> bool:
    return all(state["backlog"] == 0 for state in _outputs(daemon))


def _has_arrived(receivers: dict[str, Receiver], results: dict[str, Any]) -> bool:
    """Return whether nothing is missing on the other side: what is sent takes a moment there, and rules take theirs."""
    report = Report()
    messages = {name: receiver.messages() for name, receiver in receivers.items()}
    for name, received in messages.items():
        _count(name, received, results, report)
    _compare_versions(messages, report)
    return not report.faults


def _count(name: str, messages: list[dict[str, Any]], results: dict[str, Any], report: Report) -> None:
    """Compare what a receiver has got with the results: all, in order, and again only with the same id.

    Of an overwritten photo the newest result is looked at.
    """
    files = {result["sha256"]: file for file, result in results.items()}
    first: dict[str, dict[str, Any]] = {}
    last_seq, repeated = 0, 0
    for message in messages:
        file = message["file"] if "file" in message else files.get(message["sha256"], OVERWRITTEN)
        result = results.get(file)
        is_newest = _is_of(message, result)
        if file == OVERWRITTEN and not is_newest:
            continue
        if file in first:
            repeated += 1
            is_former = file == OVERWRITTEN and message.get("result") is None
            if first[file].get("id") != message.get("id") and not is_former:
                report.faults.append(f"{name}: {file} came as {first[file]} and as {message}")
            continue
        first[file] = message
        if not is_newest:
            report.faults.append(f"{name}: {file} came with another result: {message}")
        if "id" in message:
            seq = int(message["id"].split("-")[1])
            if seq < last_seq:
                report.faults.append(f"{name}: {message['id']} came after {last_seq}")
            last_seq = seq
    report.faults += [f"{name}: {file} did not arrive" for file in sorted(set(results) - set(first))]
    if repeated and name in _ONCE:
        report.faults.append(f"{name}: {repeated} came twice")
    report.received[name] = len(messages)
    report.repeated[name] = repeated


def _compare_versions(messages: dict[str, list[dict[str, Any]]], report: Report) -> None:
    """See that all receivers have got the same results of the overwritten photo, the former ones, too."""
    versions = {
        name: {message["id"].split("-")[1] for message in received if message["file"] == OVERWRITTEN}
        for name, received in messages.items()
        if received and "id" in received[0]
    }
    every = set[str]().union(*versions.values())
    report.faults += [
        f"{name}: of {OVERWRITTEN}, {len(every - found)} of {len(every)} results did not arrive"
        for name, found in versions.items()
        if found != every
    ]


def _is_of(message: dict[str, Any], result: dict[str, Any] | None) -> bool:
    """Return whether a message, as far as it says that, is of a result."""
    if result is None:
        return False
    if "label" in message:
        is_content = message.get("sha256", result["sha256"]) == result["sha256"]
        return is_content and bool(message["label"] == keyword_of(result))
    return message["result"] in (None, result["id"])


def main() -> int:
    """Have the outages that the command line asks for; exit 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outages", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    args = parser.parse_args()
    report = run(args.outages, args.seed, args.kinds, each=True, progress=True)
    print(report.text())  # noqa: T201
    return int(bool(report.faults))


if __name__ == "__main__":
    sys.exit(main())
