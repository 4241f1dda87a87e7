"""The labels of a graph: found beside it, and fitted to its outputs and to the folders of photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError
from dogid.file_names import join_names
from dogid.model.model_file import read_model_file
from dogid.model.model_labels import read_label_file
from dogid.quantities import count_of
from dogid_convert.sources.sniff import is_tflite

_NAMES = ("retrained_labels.txt", "output_labels.txt", "labels.txt")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class GraphLabels:
    """A graph's labels, in the order of its outputs."""

    names: tuple[str, ...]
    path: Path


def find_labels(graph: Path, given: Path | None) -> GraphLabels:
    """Return the labels of a file, or of one beside the graph. Raise UsageError listing the searched files."""
    if given is None and is_tflite(graph):
        inside = read_model_file(graph)
        if inside.labels is not None:
            return GraphLabels(inside.labels, graph)
    folders = [graph, graph / "assets", graph.parent] if graph.is_dir() else [graph.parent]
    # a file of the graph's own name is meant for it; the others may belong to a neighbour
    beside = [graph.with_suffix(".txt"), *(folder / name for folder in folders for name in _NAMES)]
    places = [given] if given is not None else beside
    for path in places:
        if path.is_file() or given is not None:
            return GraphLabels(_read(path), path)
    looked = ", ".join(str(path) for path in places)
    raise UsageError(f"no labels for {graph} (searched: {looked}); give a file with one label per line by --labels")


def check_labels(labels: GraphLabels, classes: int) -> None:
    """Raise DogidError, showing both sides, where there is not one label for each output."""
    count = len(labels.names)
    if count == classes:
        return
    first = join_names([repr(name) for name in labels.names], _SHOWN)
    outputs = join_names([f"output {i}" for i in range(classes)], _SHOWN)
    hint = ""
    if count + 1 == classes:
        hint = " Some graphs have an extra first class, background: does the file lack its line?"
    raise DogidError(
        f"{labels.path} has {count_of(count, 'label')} ({first}), but the graph has "
        f"{count_of(classes, 'output')} ({outputs}). Give the right file by --labels.{hint}"
    )


def photo_labels(places: Sequence[int | None], folder_of: Sequence[int]) -> NDArray[np.int64]:
    """Given each folder's label and each photo's folder, return each photo's label, -1 where there is none."""
    known = np.array([-1 if place is None else place for place in places], dtype=np.int64)
    return known[np.asarray(folder_of, dtype=np.int64)]


def _read(path: Path) -> tuple[str, ...]:
    names = read_label_file(path)
    blank = [i + 1 for i, name in enumerate(names) if not name]
    if blank:
        raise UsageError(f"{path}: line {blank[0]} is blank; every output needs a label")
    return names
