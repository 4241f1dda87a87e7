"""How many reviewed photos a new label takes, and what it costs the old ones: the tables of RESULTS.md.

`python -m tests.benchmarks.learning_curve` takes the dogs of the collection beside the clone: each draw learns
rottweilers on a head that saw no photo of a fifth of the sources, and is judged on that fifth and on the other
rottweilers. `... FOLDER` takes any folder of labelled folders, of which each label is held out in turn. `--rounds`
learns ten times, each time on the model before. `--answers` has a person decide, before learning, about the stored
photos that `dogid learn --check` doubts: who relabels what shows the new label and keeps the rest, or relabels all of
them unseen. Embeddings are kept in `--cache`.
"""

import argparse
import hashlib
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.errors import PhotoError
from dogid.learning.learn import check_contradictions, learn
from dogid.learning.learned import Learned
from dogid.learning.logistic_regression import fit_softmax
from dogid.learning.photos import Parent, ReviewedPhoto
from dogid.learning.standardisation import Standardisation
from dogid.model.classifier import load_model
from dogid.model.head import Head
from dogid.model.shipped import shipped_model
from dogid.model.training_embeddings import TrainingEmbeddings, encode, read_embeddings
from dogid.model.training_embeddings import decode as decode_embeddings
from dogid.photo.decode import decode
from tests.support.collection import PHOTOS

SIZES = (1, 3, 5, 10, 20, 40)
_FOLDS = 5
_L2 = 100.0
_PRIOR = {"dachshund": 2.7, "poodle": 1.65, "pug": 1.65}  # models/README.md
_ROTTWEILER = "rottweiler"
_SEEN = {
    _ROTTWEILER: (
        "dog.6896.", "dog.2416.", "dog.6169.", "dog.3148.", "dog.2200.", "dog.654.jpg", "dog.9730.", "dog.6447.",
        "dog.10662", "doberman-pinscher675467", "doberman-pinscher9790",
    ),
    "doberman": ("dog.419.", "dog.9364.", "dog.9222.", "dog.827.", "asirra2__dog.804.", "asirra2__dog.4687."),
}  # fmt: skip
"""Of photos labelled `other` that show a breed or mixes of it though their names do not say so: by eye."""
_NOTHING = np.zeros((0, 0), np.float32)
NONE, BY_EYE, RELABEL_ALL = "none", "by-eye", "relabel-all"
_ANSWERS = (NONE, BY_EYE, RELABEL_ALL)


@dataclass(frozen=True)
class Photos:
    """Embedded photos of a folder of labelled folders."""

    embeddings: NDArray[np.float32]
    labels: NDArray[np.intp]
    names: tuple[str, ...]
    """Of the labels."""
    paths: tuple[str, ...]
    sha256: tuple[str, ...]


@dataclass
class Row:
    """One draw's figures, in points."""

    recall: float
    old_change: float
    seconds: float
    passed: bool


def embed(folder: Path, cache: Path) -> Photos:
    """Return the embeddings of all photos of a folder by the shipped model."""
    kept = cache / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.npz"
    if not kept.exists():
        model = load_model(shipped_model(), embeddings=True)
        assert model.file.network is not None
        classifier, raw, paths, hashes = model.classifier(), list[bytes](), list[str](), list[str]()
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
                continue
            data = path.read_bytes()
            try:
                classifier.classify(decode(data, classifier.size).pixels)
            except PhotoError:
                continue
            raw.append(classifier.read_embedding() or b"")
            paths.append(str(path.relative_to(folder)))
            hashes.append(hashlib.sha256(data).hexdigest())
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, embeddings=model.file.network.read_embeddings(raw), paths=paths, sha256=hashes)
    with np.load(kept) as arrays:
        paths = arrays["paths"].tolist()
        names, labels = np.unique([path.split("/")[0] for path in paths], return_inverse=True)
        return Photos(
            arrays["embeddings"], labels.astype(np.intp), tuple(map(str, names)), tuple(paths),
            tuple(arrays["sha256"].tolist()),
        )  # fmt: skip


def fit_parent(stored: TrainingEmbeddings, labels: Sequence[str], prior: dict[str, float]) -> Parent:
    """Return a model as training makes it."""
    space = Standardisation.fit_principal([stored.embeddings], 512)
    inputs = space.apply_in_float32(stored.embeddings)
    start = np.zeros((inputs.shape[1], len(labels))), np.zeros(len(labels))
    weights, biases = space.fold(*fit_softmax(inputs, stored.labels, np.ones(len(inputs)), _L2, start))
    biases = biases + np.log([prior.get(label, 1.0) for label in labels])
    return Parent(Head(weights.T.astype(np.float32), biases.astype(np.float32)), tuple(labels), stored)


def review(embeddings: NDArray[np.float32], label: str, chosen: NDArray[np.intp]) -> list[ReviewedPhoto]:
    """Return photos that a person gave a label."""
    return [
        ReviewedPhoto(
            f"{at}.jpg", hashlib.sha256(f"{label} {at}".encode()).hexdigest(), label, embeddings[at], "", None
        )
        for at in chosen
    ]


def recall(learned: Learned, embeddings: NDArray[np.float32], label: str) -> float:
    """Return the share of photos that get this label."""
    answers = learned.head.logits(embeddings).argmax(axis=1)
    return float((answers == learned.labels.index(label)).mean())


@dataclass(frozen=True)
class Task:
    """A model, photos of a label that it lacks, and photos to judge the old labels on."""

    parent: Parent
    new: dict[str, NDArray[np.float32]]
    """By label."""
    old: NDArray[np.float32]
    old_labels: NDArray[np.intp]
    shown: frozenset[str] = frozenset()
    """SHA-256 of the stored photos that show the new label, though they have an old one."""

    def run(self, size: int, rng: np.random.Generator, answers: str = NONE) -> Row:
        """Learn so many photos of each new label, once the check was answered."""
        orders = {label: rng.permutation(len(photos)) for label, photos in self.new.items()}
        said = [one for label, photos in self.new.items() for one in review(photos, label, orders[label][:size])]
        said += self.answer_check(said, answers)
        started = time.process_time()
        learned = learn(self.parent, said, _NOTHING.reshape(0, self.old.shape[1]))
        seconds = time.process_time() - started
        recalls = [recall(learned, photos[orders[label][size:]], label) for label, photos in self.new.items()]
        before = self.parent.head.logits(self.old).argmax(axis=1) == self.old_labels
        after = learned.head.logits(self.old).argmax(axis=1) == self.old_labels
        change = (float(after.mean()) - float(before.mean())) * 100
        return Row(float(np.mean(recalls)) * 100, change, seconds, learned.gate.passed)

    def answer_check(self, said: Sequence[ReviewedPhoto], answers: str) -> list[ReviewedPhoto]:
        """Return what a person says of the stored photos that contradict reviewed ones."""
        stored = self.parent.stored
        if answers == NONE or stored is None:
            return []
        place = {sha256: at for at, sha256 in enumerate(stored.sha256)}
        found = check_contradictions(self.parent, said, _NOTHING.reshape(0, self.old.shape[1]))
        return [
            ReviewedPhoto(
                one.sha256, one.sha256, one.other if answers == RELABEL_ALL or one.sha256 in self.shown else one.label,
                stored.embeddings[place[one.sha256]], "", None,
            )
            for one in {one.sha256: one for one in found}.values() if one.sha256 in place
        ]  # fmt: skip


def dog_tasks(cache: Path, breed: str | None = None) -> list[Task]:
    """Return a task for each fifth of the sources.

    breed: learn that one in place of rottweilers, from the photos of `other` that have it in their name; no model of a
    task has these, but the network has seen most of them as `other`.
    """
    trained, more, new = (embed(PHOTOS.parent / name, cache) for name in ("train", "more", "extra"))
    stored = read_embeddings(shipped_model())
    assert stored is not None
    place = {name: (photos, at) for photos in (trained, more) for at, name in enumerate(photos.sha256)}
    found = [place[name] for name in stored.sha256]
    live = np.stack([photos.embeddings[at] for photos, at in found])
    files = [photos.paths[at].split("/")[1] for photos, at in found]
    sources = np.array([(re.match("asirra", file) or re.match("[^_]*", file) or [""])[0] for file in files])
    groups = np.unique(sources, return_inverse=True)[1].astype(np.intp)
    folds = _deal(groups)
    is_other = stored.labels == trained.names.index("other")
    word = "rott" if breed is None else breed
    named = np.array([word in file.lower() for file in files]) & is_other
    hidden = named | np.array([any(name in file for name in _SEEN.get(breed or _ROTTWEILER, ())) for file in files])
    is_new = np.zeros(len(files), bool) if breed is None else named
    learned = {_ROTTWEILER: new.embeddings} if breed is None else {breed: live[named]}
    tasks = []
    for fold in range(_FOLDS):
        kept, judged = (folds != fold) & ~is_new, (folds == fold) & ~hidden
        parent = fit_parent(_select(stored, kept), trained.names, _PRIOR)
        shown = frozenset(np.array(stored.sha256)[hidden].tolist())
        tasks.append(Task(parent, learned, live[judged], stored.labels[judged].astype(np.intp), shown))
    return tasks


def folder_tasks(folder: Path, cache: Path, held_out: int) -> list[Task]:
    """Return a task for each label of a folder, or each so many of them; half of the others is judged on."""
    photos = embed(folder, cache)
    tasks = []
    for first in range(0, len(photos.names) - held_out + 1, held_out):
        out = np.arange(first, first + held_out)
        names = [name for at, name in enumerate(photos.names) if at not in out]
        labels = np.array([names.index(photos.names[at]) if at not in out else -1 for at in photos.labels])
        half = np.random.default_rng(0).random(len(labels)) < 0.5
        kept, judged = (labels >= 0) & half, (labels >= 0) & ~half
        count = int(kept.sum())
        stored = TrainingEmbeddings(
            photos.embeddings[kept], labels[kept], tuple(np.array(photos.sha256)[kept].tolist()), np.zeros(count, bool)
        )
        new = {photos.names[at]: photos.embeddings[photos.labels == at] for at in out}
        tasks.append(Task(fit_parent(stored, names, {}), new, photos.embeddings[judged], labels[judged]))
    return tasks


def measure_curve(tasks: Sequence[Task], draws: int, sizes: Sequence[int], answers: str = NONE) -> Iterator[str]:
    """Yield a table's rows, one for each number of photos."""
    yield "| photos | recall: mean | worst | old labels, points: mean | worst | passed the gate | s CPU |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for size in sizes:
        rows = [
            tasks[draw % len(tasks)].run(size, np.random.default_rng(100 * size + draw), answers)
            for draw in range(draws)
        ]
        recalls, changes = [row.recall for row in rows], [row.old_change for row in rows]
        passed, seconds = sum(row.passed for row in rows), np.mean([row.seconds for row in rows])
        yield (
            f"| {size} | {np.mean(recalls):.1f} % | {min(recalls):.1f} % | {np.mean(changes):+.2f} "
            f"| {min(changes):+.2f} | {passed} of {len(rows)} | {seconds:.1f} |"
        )


def measure_rounds(tasks: Sequence[Task], rounds: int = 10, size: int = 4) -> Iterator[str]:
    """Yield a table of learning on one another: each round adds photos of every new label, and is stored rounded."""
    yield "| round | photos of each new label | recall: mean | worst | old labels, points: mean | worst |"
    yield "| --- | --- | --- | --- | --- | --- |"
    learners = [_learn_in_rounds(task, rounds, size) for task in tasks]
    for number in range(rounds):
        recalls, changes = zip(*(next(learner) for learner in learners), strict=True)
        yield (
            f"| {number + 1} | {(number + 1) * size} | {np.mean(recalls):.1f} % | {min(recalls):.1f} % "
            f"| {np.mean(changes):+.2f} | {min(changes):+.2f} |"
        )


def _learn_in_rounds(task: Task, rounds: int, size: int) -> Iterator[tuple[float, float]]:
    """Yield the recall and the change of the old labels after each round, in points."""
    present = task.parent
    orders = {label: np.random.default_rng(1).permutation(len(photos)) for label, photos in task.new.items()}
    tested = {label: photos[orders[label][rounds * size :]] for label, photos in task.new.items()}
    before = float((present.head.logits(task.old).argmax(axis=1) == task.old_labels).mean())
    for number in range(rounds):
        part = slice(number * size, (number + 1) * size)
        said = [one for label, photos in task.new.items() for one in review(photos, label, orders[label][part])]
        learned = learn(present, said, _NOTHING.reshape(0, task.old.shape[1]))
        carried = decode_embeddings(encode(learned.embeddings, quickly=True))
        present = Parent(
            learned.head, learned.labels, carried, frozenset(learned.learned_from), frozenset(learned.learned_labels)
        )
        found = np.mean([recall(learned, photos, label) for label, photos in tested.items()])
        after = float((learned.head.logits(task.old).argmax(axis=1) == task.old_labels).mean())
        yield float(found) * 100, (after - before) * 100


def _select(photos: TrainingEmbeddings, kept: NDArray[np.bool_]) -> TrainingEmbeddings:
    names = tuple(name for name, keep in zip(photos.sha256, kept, strict=True) if keep)
    return replace(
        photos, embeddings=photos.embeddings[kept], labels=photos.labels[kept], sha256=names,
        network_trained=photos.network_trained[kept],
    )  # fmt: skip


def _deal(groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return folds of whole groups, the largest first, each into the fold with the fewest photos."""
    sizes, held, folds = np.bincount(groups), np.zeros(_FOLDS), np.zeros(len(groups), np.intp)
    for group in np.argsort(-sizes, kind="stable"):
        fold = int(held.argmin())
        held[fold] += sizes[group]
        folds[groups == group] = fold
    return folds


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/learning_curve"))
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--at-once", type=int, default=1, help="labels that are held out together")
    parser.add_argument("--breed", help="that is in the names of photos of `other`, in place of rottweilers")
    parser.add_argument("--answers", choices=_ANSWERS, default=NONE, help="to the check, before learning")
    parser.add_argument("--rounds", action="store_true")
    args = parser.parse_args()
    tasks = (
        dog_tasks(args.cache, args.breed)
        if args.folder is None
        else folder_tasks(args.folder, args.cache, args.at_once)
    )
    rows = measure_rounds(tasks) if args.rounds else measure_curve(tasks, args.draws, args.sizes, args.answers)
    for row in rows:
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
