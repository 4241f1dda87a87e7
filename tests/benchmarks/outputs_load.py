"""What outputs cost the photos: processor time a photo of a backlog, photos per second, and how soon single ones come.

`python -m tests.benchmarks.outputs_load` runs short laps in turn, without outputs and with all kinds, and prints
medians. A backlog is renamed into the inbox at once; single photos come at random moments, as in `load_latency`.
Processor time is the daemon's, until the last photo of the backlog is answered: other programs on the machine disturb
it little. What the outputs then have left is the rest, which takes no photo's time.

Broker and receivers are processes of their own on the same machine: what they take is in photos per second alone.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.daemon_lap import daemon, disk, renamed_into, wait_for
from tests.benchmarks.named_threads import name_threads, thread_seconds
from tests.benchmarks.process import cpu_seconds
from tests.benchmarks.responsiveness import percentile
from tests.benchmarks.single_photos import time_singles
from tests.outputs.mqtt.mosquitto import Mosquitto
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.photos import photo, put
from tests.support.ports import claim_port

OUTPUTS = {
    "mqtt": ('url = "mqtt://127.0.0.1:{mqtt}"',),
    "webhook": ("all = true", 'url = "http://127.0.0.1:{http}/"'),
    "command": ('command = ["/bin/cat"]',),
    "notify": ('url_file = "{folder}/address"',),
    "jsonl": ('path = "{folder}/results.jsonl"',),
    "csv": ('path = "{folder}/results.csv"',),
    "sidecar": ('folder = "{folder}/sidecars"',),
    "sort": ('folder = "{folder}/sorted"',),
}
_RULES = {
    "mqtt": '[[rule]]\nname = "home"\ncooldown = 600\nto = ["mqtt"]\n',
    "command": '[[rule]]\nname = "calm"\ncooldown = 10\nto = ["command"]\n',
    "notify": '[[rule]]\nname = "first"\nfirst_of_day = true\nto = ["notify"]\n',
}
"""As the recipes have them."""
_ALL_RESULTS = frozenset(OUTPUTS) - {"command", "notify"}
_REST_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Lap:
    """One lap's figures."""

    cpu_ms: float
    """Of the daemon per photo of the backlog, until the last was answered."""
    rest_ms: float
    """What it took further per photo, until the outputs had all."""
    rest_seconds: float
    """How long that took."""
    photos_per_second: float
    threads_us: float
    """Microseconds of the processor a photo that the outputs' own threads, and the rules', took in the backlog."""
    took: Sequence[float]
    """Milliseconds from the rename to the answer, of each single photo."""


def measure(paths: Sequence[Path], singles: int, kinds: Sequence[str]) -> Lap:
    """Let photos come, a few one by one, then the others at once."""
    with (
        tempfile.TemporaryDirectory(prefix="dogid-outputs-", dir=disk()) as written,
        _receivers(Path(written), kinds) as ports,
        daemon(
            paths[0].parent,
            *("--config", str(_write_settings(Path(written), kinds, ports))),
            environ=name_threads(Path(written)),
        ) as process,
        renamed_into(process.inbox, paths) as renaming,
    ):
        time.sleep(_REST_SECONDS)
        took = time_singles(process, paths[:singles], renaming, singles)
        _wait_for_outputs(process, singles)
        backlog = paths[singles:]
        cpu, own, begun = cpu_seconds(process.pid), _own_seconds(process), time.perf_counter()
        for path in backlog:
            renaming.one(path)
        wait_for(process, len(paths), begun)
        seconds, answered = time.perf_counter() - begun, cpu_seconds(process.pid)
        own = _own_seconds(process) - own
        _wait_for_outputs(process, len(paths))
        rest, waited = cpu_seconds(process.pid) - answered, time.perf_counter() - begun - seconds
    count = len(backlog)
    return Lap(1000 * (answered - cpu) / count, 1000 * rest / count, waited, count / seconds, 1e6 * own / count, took)


def _own_seconds(process: DaemonProcess) -> float:
    return sum(used for name, used in thread_seconds(process.pid).items() if name.startswith("output "))


@contextlib.contextmanager
def _receivers(folder: Path, kinds: Sequence[str]) -> Iterator[dict[str, int]]:
    """The other sides, each on a port of its own."""
    ports = {"http": claim_port(), "smtp": claim_port(), "mqtt": 0}
    with contextlib.ExitStack() as stack:
        if "mqtt" in kinds:
            broker = Mosquitto(folder / "broker", "allow_anonymous true", "log_dest none").start()
            stack.callback(broker.kill)
            ports["mqtt"] = broker.port
        for kind, output in (("http", "webhook"), ("smtp", "notify")):
            if output in kinds:
                arguments = ["-m", "tests.outputs.recording_server", kind, str(ports[kind]), str(folder / kind)]
                server = subprocess.Popen([sys.executable, *arguments], env=environment(), cwd=ROOT)
                stack.callback(server.wait)
                stack.callback(server.kill)
        yield ports


def _write_settings(folder: Path, kinds: Sequence[str], ports: dict[str, int]) -> Path:
    for name in ("sidecars", "sorted"):
        (folder / name).mkdir()
    (folder / "address").write_text(f"mailto://127.0.0.1:{ports['smtp']}/?from=a@b.org&to=c@d.org")
    config = folder / "dogid.toml"
    tables = [
        "\n".join((f"[outputs.{kind}]", f'type = "{kind}"', *OUTPUTS[kind], "")).format(folder=folder, **ports)
        for kind in kinds
    ]
    config.write_text("\n".join([*tables, *(_RULES[kind] for kind in kinds if kind in _RULES)]))
    return config


def _wait_for_outputs(process: DaemonProcess, count: int) -> None:
    def is_behind(state: dict[str, object]) -> bool:
        sent = state["sent"]
        assert isinstance(sent, int)
        return state["backlog"] != 0 or (state["name"] in _ALL_RESULTS and sent < count)

    while any(map(is_behind, process.status().get("outputs", ()))):
        time.sleep(0.1)


def main() -> None:
    """Print the medians of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--photos", type=int, default=2000, help="of 0.3 MP, in a backlog")
    parser.add_argument("--singles", type=int, default=60, help="photos that come one by one")
    parser.add_argument("--outputs", nargs="*", choices=OUTPUTS, default=list(OUTPUTS))
    args = parser.parse_args()
    laps: dict[bool, list[Lap]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="dogid-outputs-", dir="/dev/shm") as folder:
        place = Path(folder)
        paths = [put(place / f"{at:05d}.jpg", photo(at, size=(640, 480))) for at in range(args.photos + args.singles)]
        for number in range(args.rounds):
            for with_outputs in (False, True) if number % 2 else (True, False):
                laps[with_outputs].append(measure(paths, args.singles, args.outputs if with_outputs else ()))
    for with_outputs, name in ((False, "without outputs"), (True, "with " + ", ".join(args.outputs))):
        cpu, rest, waited, rate, own = (
            statistics.median(getattr(lap, key) for lap in laps[with_outputs])
            for key in ("cpu_ms", "rest_ms", "rest_seconds", "photos_per_second", "threads_us")
        )
        took = [each for lap in laps[with_outputs] for each in lap.took]
        by_lap = statistics.median(percentile(lap.took, 99) for lap in laps[with_outputs])
        print(  # noqa: T201
            f"{name}: {cpu:.2f} ms of the processor a photo, {own / 1000:.3f} of it by their threads,"
            f" {rest:.2f} ms in {waited:.1f} s after the backlog;"
            f" {rate:.0f} photos/s; single photos {percentile(took, 50):.1f} ms (p50), {percentile(took, 99):.1f} ms"
            f" (p99), {by_lap:.1f} ms (median p99 of a lap)"
        )
    for key in ("cpu_ms", "photos_per_second"):
        ratios = sorted(getattr(on, key) / getattr(off, key) for off, on in zip(laps[False], laps[True], strict=True))
        print(f"with / without, {key}: {statistics.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f}")  # noqa: T201


if __name__ == "__main__":
    main()
