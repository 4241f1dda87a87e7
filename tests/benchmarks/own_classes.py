"""How right and how sure models of one's own classes are on other objects: the tables of models/BASES.md.

`python -m tests.benchmarks.own_classes FOLDER...` takes folders of labelled folders. The photos of each are dealt into
two halves of whole groups; a model of `dogid retrain` and `dogid convert` with their defaults, trained on one half,
answers the other, so that each photo is answered once. `--tree` trains with the commands of another clone of dogid,
to compare. The answers of all models are by this tree's daemon.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import LabelledPhoto, find_photos
from dogid.dataset.photo_groups import number_groups
from dogid.evaluation.metrics import evaluate
from dogid.model.classifier import load_model
from dogid.photo.decode import decode
from dogid_convert.training.group_folds import ALWAYS_TRAINED, deal_folds

_THIS_TREE = Path(__file__).parents[2]
_RUN = "import sys; from dogid.cli import main; sys.exit(main(sys.argv[1:]))"
_DTYPES = ("float32", "int8")
_EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.01)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and after it how often the answers of each range of probability are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--group-by", type=re.compile, default=re.compile(r".+?__|.+"), metavar="REGEX")
    parser.add_argument("--most", type=int, default=60, metavar="N", help="photos of a label to train on (default 60)")
    parser.add_argument("--tree", type=Path, default=_THIS_TREE, help="the clone whose commands train")
    options = parser.parse_args(arguments)
    _write("| set | labels | photos | form | top-1 | macro recall | calibration error |")
    _write("| --- | --- | --- | --- | --- | --- | --- |")
    pooled: dict[str, list[tuple[NDArray[np.float64], NDArray[np.bool_]]]] = {dtype: [] for dtype in _DTYPES}
    for folder in options.folders:
        for dtype, (scores, truth, groups) in _answer_all(folder, options).items():
            done = evaluate(scores, truth, groups)
            low, high = 100 * done.accuracy_interval.low, 100 * done.accuracy_interval.high
            _write(
                f"| {folder.name} | {scores.shape[1]} | {done.photos} | {dtype} | {100 * done.accuracy:.1f} % "
                f"({low:.1f} to {high:.1f}) | {100 * done.macro_recall:.1f} % | {done.calibration_error:.3f} |"
            )
            pooled[dtype].append((scores.max(axis=1), scores.argmax(axis=1) == truth))
    for dtype, parts in pooled.items():
        sure, right = (np.concatenate(values) for values in zip(*parts, strict=True))
        _write(f"\n{dtype}, all sets\n\n| it says | photos | mean of what it says | right |\n| --- | --- | --- | --- |")
        for low, high in pairwise(_EDGES):
            inside = (sure >= low) & (sure < high)
            if inside.any():
                means = f"{sure[inside].mean():.3f} | {right[inside].mean():.3f}"
                _write(f"| {low:.2f} to {min(high, 1):.2f} | {inside.sum()} | {means} |")
    return 0


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


_Answers = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.intp]]


def _answer_all(folder: Path, options: argparse.Namespace) -> dict[str, _Answers]:
    """Return probabilities [photos, labels], true labels and groups of all photos, by the kind of model."""
    dataset = find_photos(folder)
    labels = np.array([photo.label for photo in dataset.photos], np.int64)
    groups, _ = number_groups(dataset.photos, options.group_by)
    halves = deal_folds(labels, groups, count=2)
    order: list[NDArray[np.intp]] = []
    scores: dict[str, list[NDArray[np.float64]]] = {dtype: [] for dtype in _DTYPES}
    for half in (0, 1):
        judged = np.flatnonzero(halves == half)
        trained = [dataset.photos[i] for i in _thin_out(np.flatnonzero(halves != half), labels, options.most)]
        order.append(judged)
        with tempfile.TemporaryDirectory() as temporary:
            photos = Path(temporary) / "photos"
            _copy(trained, dataset.labels, photos)
            for dtype, model in _make_models(photos, Path(temporary), options.tree):
                scores[dtype].append(_answer(model, [dataset.photos[i] for i in judged], dataset.labels))
    places = np.concatenate(order)
    assert ALWAYS_TRAINED not in halves[places]
    return {dtype: (np.concatenate(parts), labels[places], groups[places]) for dtype, parts in scores.items()}


def _thin_out(places: NDArray[np.intp], labels: NDArray[np.int64], most: int) -> list[int]:
    """Return at most that many places of each label, evenly spread."""
    chosen: list[int] = []
    for label in np.unique(labels[places]):
        own = places[labels[places] == label]
        chosen += own[np.unique(np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int))].tolist()
    return chosen


def _copy(photos: Sequence[LabelledPhoto], labels: tuple[str, ...], folder: Path) -> None:
    for photo in photos:
        place = folder / labels[photo.label] / photo.path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo.read())


def _make_models(photos: Path, folder: Path, tree: Path) -> Iterator[tuple[str, Path]]:
    """Train, and yield each kind of model that the graph is converted to."""
    graph, cache = folder / "graph", folder / "cache"
    _run(tree, "retrain", str(photos), "-o", str(graph), "--cache", str(cache))
    for dtype in _DTYPES:
        model = folder / f"{dtype}.tflite"
        pb = str(graph / "retrained_graph.pb")
        _run(tree, "convert", pb, "-o", str(model), "--calibrate", str(photos), "--dtype", dtype, "--force")
        yield dtype, model


def _run(tree: Path, *words: str) -> None:
    environment = os.environ | {"PYTHONPATH": f"{tree / 'daemon'}:{tree / 'convert'}"}
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode and "--force" not in words:  # which writes a model, and nevertheless says that it is worse
        raise SystemExit(f"dogid {words[0]} failed: {done.stderr[-2000:]}")


def _answer(path: Path, photos: Sequence[LabelledPhoto], labels: tuple[str, ...]) -> NDArray[np.float64]:
    model = load_model(path)
    classifier = model.classifier()
    places = [model.labels.index(label) for label in labels]
    with ThreadPoolExecutor(2) as pool:
        pixels = pool.map(lambda photo: decode(photo.read(), model.size).pixels, photos)
        return np.stack([np.asarray(classifier.classify(one), np.float64)[places] for one in pixels])


if __name__ == "__main__":
    sys.exit(main())
