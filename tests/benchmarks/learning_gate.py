"""What the gate says of models that are no better, and of worse ones: the figures of RESULTS.md.

`python -m tests.benchmarks.learning_gate same` simulates histories of looks at a model that is no better. `... damaged`
learns rottweilers as `learning_curve` does, damages the new model, and asks the gate. `... misled` learns of what
people say wrongly, or of nothing new.
"""

import argparse
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from dogid.learning import learn as learning
from dogid.learning.evidence import find_disagreements
from dogid.learning.gate import NEEDED_E_VALUE
from dogid.learning.gate_statistics import compute_e_value
from dogid.learning.learned import Learned, conclude
from dogid.learning.photos import ReviewedPhoto
from dogid.model.head import Head
from tests.benchmarks.learning_curve import Task, dog_tasks, review
from tests.learning.worse_heads import Worsen, damage_weights, drop_row, shuffle_rows

_HISTORIES, _LOOKS, _PHOTOS = 1000, 50, 40  # photos between two looks
_DISCORDANT = (0.0, 0.01, 0.025, 0.05, 0.1, 0.2)
_TAUGHT = 20
_NEW = "rottweiler"
_e_value = functools.cache(compute_e_value)


def measure_same(histories: int) -> Iterator[str]:
    """Yield a table's rows: in how many histories the evidence for a model that is no better is enough once.

    Such a model is right where the former one is wrong as often as the other way round; people review all photos.
    """
    yield "| photos that only one of both answers rightly | histories with an alarm | largest e-value |"
    yield "| --- | --- | --- |"
    for share in _DISCORDANT:
        rng, largest = np.random.default_rng(0), list[float]()
        for _ in range(histories):
            discordant = rng.binomial(_PHOTOS, share, _LOOKS)
            gained = np.cumsum(rng.binomial(discordant, 0.5))
            lost = np.cumsum(discordant) - gained
            largest.append(max(_e_value(int(g), int(b)) for g, b in zip(gained, lost, strict=True)))
        alarms = sum(value >= NEEDED_E_VALUE for value in largest)
        yield f"| {share:.1%} | {alarms / histories:.1%} | {max(largest):.0f} |"


def zero_weights(head: Head, rng: np.random.Generator) -> Head:
    """Have a tenth of the features not count, which costs nothing."""
    kept = rng.random(head.weights.shape[1]) >= 0.1
    return Head(head.weights * kept, head.bias)


_DAMAGES: dict[str, Worsen] = {
    "the rows of the labels are shuffled": shuffle_rows,
    "a label never answers": drop_row,
    "noise on the weights, half of their deviation": damage_weights(0.5),
    "noise on the weights, all of it": damage_weights(1.0),
    "noise on the weights, three times": damage_weights(3.0),
    "a tenth of the features is zero": zero_weights,
}


@dataclass
class _Verdict:
    """Of one model."""

    refused: bool
    old_change: float
    """Points, on photos of sources that the model has no photo of."""


@dataclass(frozen=True)
class _Run:
    """A learning run up to its conclusion, which can be drawn of other heads."""

    learned: Learned
    conclude: Callable[[Head], Learned]


def _learn(task: Task, said: Sequence[ReviewedPhoto]) -> _Run:
    nothing, kept = task.old[:0], list[tuple[Any, ...]]()

    def keep(*args: Any) -> Learned:
        kept.append(args)
        return conclude(*args)

    with patch.object(learning, "conclude", keep):
        learned = learning.learn(task.parent, said, nothing)
    parent, material, _, fitted, temperature, contradictions, reviewed, recent, _ = kept[0]

    def conclude_of(head: Head) -> Learned:
        disagreements = find_disagreements(parent, material, fitted, head, recent, recent)
        return conclude(parent, material, head, fitted, temperature, contradictions, reviewed, recent, disagreements)

    return _Run(learned, conclude_of)


def _judge(task: Task, learned: Learned) -> _Verdict:
    after = learned.head.logits(task.old).argmax(axis=1) == task.old_labels
    before = task.parent.head.logits(task.old).argmax(axis=1) == task.old_labels
    return _Verdict(not learned.gate.passed, float(after.mean() - before.mean()) * 100)


def _shuffle_labels(task: Task, rng: np.random.Generator) -> list[ReviewedPhoto]:
    """Return what people say of the new label's photos and of as many old ones, with all labels shuffled."""
    chosen = rng.permutation(len(task.new[_NEW]))[:_TAUGHT]
    said = review(task.new[_NEW], _NEW, chosen)
    for at, label in enumerate(task.parent.labels):
        said += review(task.old, label, rng.permutation(np.flatnonzero(task.old_labels == at))[:_TAUGHT])
    labels = rng.permutation([one.label for one in said])
    return [
        ReviewedPhoto(one.name, one.sha256, str(label), one.embedding, one.folder, one.taken_at)
        for one, label in zip(said, labels, strict=True)
    ]


def _confirm(task: Task, rng: np.random.Generator) -> list[ReviewedPhoto]:
    """Return what people say where they correct nothing."""
    right = task.parent.head.logits(task.old).argmax(axis=1) == task.old_labels
    said = list[ReviewedPhoto]()
    for at, label in enumerate(task.parent.labels):
        said += review(task.old, label, rng.permutation(np.flatnonzero(right & (task.old_labels == at)))[:_TAUGHT])
    return said


def measure_damaged(tasks: Sequence[Task], models: int) -> Iterator[str]:
    """Yield a table's rows: how many of so many damaged models of each kind the gate refuses, and what they cost."""
    yield from _HEADER
    verdicts: dict[str, list[_Verdict]] = {"nothing": [], **{name: [] for name in _DAMAGES}}
    for number, task in enumerate(tasks):
        rng = np.random.default_rng(number)
        run = _learn(task, review(task.new[_NEW], _NEW, rng.permutation(len(task.new[_NEW]))[:_TAUGHT]))
        verdicts["nothing"].append(_judge(task, run.learned))
        for name, worsen in _DAMAGES.items():
            for _ in range(models // len(tasks)):
                verdicts[name].append(_judge(task, run.conclude(worsen(run.learned.head, rng))))
    for name, found in verdicts.items():
        yield _format(name, found)


def measure_misled(tasks: Sequence[Task], models: int) -> Iterator[str]:
    """Yield a table's rows: the same of models that were learned of what people said wrongly, or of nothing new."""
    yield from _HEADER
    kinds = {"what people say has its labels shuffled": _shuffle_labels, "only right answers were confirmed": _confirm}
    for name, say in kinds.items():
        found = list[_Verdict]()
        for number in range(models):
            task = tasks[number % len(tasks)]
            found.append(_judge(task, _learn(task, say(task, np.random.default_rng(1000 + number))).learned))
        yield _format(name, found)


_HEADER = (
    "| what is wrong | refused | old labels, points: mean | worst of those that passed |",
    "| --- | --- | --- | --- |",
)


def _format(name: str, verdicts: Sequence[_Verdict]) -> str:
    refused = sum(one.refused for one in verdicts)
    mean = np.mean([one.old_change for one in verdicts])
    worst = min((one.old_change for one in verdicts if not one.refused), default=None)
    return f"| {name} | {refused} of {len(verdicts)} | {mean:+.2f} | {'none' if worst is None else f'{worst:+.2f}'} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("same", "damaged", "misled"))
    parser.add_argument("--histories", type=int, default=_HISTORIES)
    parser.add_argument("--models", type=int, default=100, help="of each kind")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/learning_curve"))
    args = parser.parse_args()
    if args.which == "same":
        rows = measure_same(args.histories)
    else:
        measure = measure_damaged if args.which == "damaged" else measure_misled
        rows = measure(dog_tasks(args.cache), args.models)
    for row in rows:
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
