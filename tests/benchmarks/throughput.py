"""Photos per second from a backlog: the daemon, the bare limit, and the peers, in interleaved rounds."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import daemon_lap
from tests.benchmarks.contender import Contender, Lap, running
from tests.benchmarks.material import Material

DAEMON, LIMIT = "daemon", "limit"
_SECONDS = {DAEMON: 3.0, LIMIT: 3.0}
_PEERS_SECONDS = 1.5
"""A lap gets as many photos as it answers in about so long, by its first lap."""

_PEERS_ROUNDS = 3

_LEAST = 6  # photos in a lap

RunLap = Callable[[Sequence[Path]], Lap]


@dataclass(frozen=True, slots=True)
class Race:
    """All rounds with one kind of photo."""

    material: Material
    laps: Mapping[str, Sequence[Lap]]
    """By contender, in the order of the rounds."""

    def per_second(self, name: str) -> float:
        """A contender's median."""
        return statistics.median(lap.per_second for lap in self.laps[name])

    def cpu_per_1000(self, name: str) -> float:
        """A contender's median, in seconds."""
        return statistics.median(lap.cpu_per_1000 for lap in self.laps[name])

    def speed_over(self, name: str) -> float | None:
        """The median of the rounds' ratios of the daemon's speed to a contender's; None where it does not run here."""
        return self._ratio(name, lambda lap: lap.per_second)

    def cpu_over(self, name: str) -> float | None:
        """The median of the rounds' ratios of processor time for a photo."""
        return self._ratio(name, lambda lap: lap.cpu_per_1000)

    def _ratio(self, name: str, figure: Callable[[Lap], float]) -> float | None:
        if not self.laps.get(name):
            return None
        pairs = zip(self.laps[DAEMON], self.laps[name], strict=False)
        return statistics.median(figure(ours) / figure(theirs) for ours, theirs in pairs)


def contenders(model: Path, graph: Path, onnx: Path | None, threads: int) -> dict[str, Contender]:
    """Start all that run as processes of their own."""
    limit, peers = "tests.benchmarks.limit", "tests.benchmarks.peers"
    int8, many = ("--model", str(model)), ("--threads", str(threads))
    started = {
        LIMIT: Contender(limit, *int8, *many),
        "limit-whole": Contender(limit, *int8, *many, "--whole"),
        "limit-opencv": Contender(limit, *int8, *many, "--resize", "opencv"),
        "script": Contender(peers, "script", *int8),
        "article": Contender(peers, "article", "--model", str(graph)),
        "mediapipe": Contender(peers, "mediapipe", *int8, *many),
    }
    if onnx is not None:
        started["onnx"] = Contender(peers, "onnx", "--model", str(onnx), *many)
    return started


def race(
    material: Material, runs: Mapping[str, RunLap], *, rounds: int, report: Callable[[str], None] = lambda _: None
) -> Race:
    """Let all run in turn, so many rounds; the peers only in the first three."""
    laps: dict[str, list[Lap]] = {name: [] for name in runs}
    shares = _shares(material, runs)
    for number in range(rounds):
        for name, run in runs.items():
            if name not in _SECONDS and number >= _PEERS_ROUNDS:
                continue
            at = number * shares[name] % max(1, len(material.paths) - shares[name] + 1)
            lap = run(material.paths[at : at + shares[name]])
            laps[name].append(lap)
            report(f"{material.kind.name} MP, round {number + 1}: {name} {lap.per_second:.1f} photos/s")
    return Race(material, laps)


def _shares(material: Material, runs: Mapping[str, RunLap]) -> dict[str, int]:
    """How many photos each gets in a lap. The daemon gets as many as the limit, since a short lap shows it too slow."""
    found: dict[str, int] = {}
    for name, run in runs.items():
        run(material.paths[:_LEAST])
        speed = run(material.paths[: 2 * _LEAST]).per_second
        found[name] = round(speed * _SECONDS.get(name, _PEERS_SECONDS))
    if LIMIT in found:
        found[DAEMON] = found[LIMIT]
    return {name: min(len(material.paths), max(_LEAST, count)) for name, count in found.items()}


def main() -> None:
    """Daemon and limit alone, for tuning: `python -m tests.benchmarks.throughput MODEL FOLDER [ROUNDS]`."""
    model, folder, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    from tests.benchmarks.material import KINDS, make

    with running({LIMIT: Contender("tests.benchmarks.limit", "--model", str(model), "--threads", "2")}) as limit:
        for material in make(folder, KINDS):
            runs = {LIMIT: limit[LIMIT].lap, DAEMON: daemon_lap.lap}
            found = race(material, runs, rounds=rounds)
            print(  # noqa: T201
                f"{material.kind.name:>4} MP: limit {found.per_second(LIMIT):6.1f}/s,"
                f" daemon {found.per_second(DAEMON):6.1f}/s, ratio {found.speed_over(LIMIT):.3f};"
                f" CPU a 1,000: {found.cpu_per_1000(LIMIT):.2f} and {found.cpu_per_1000(DAEMON):.2f} s,"
                f" ratio {found.cpu_over(LIMIT):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
