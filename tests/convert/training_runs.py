"""Trainings by `dogid retrain` in this process: their photos, and what they leave."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.cli import main
from tests.convert.training_material import SIDE, small_graph


@dataclass(frozen=True)
class Run:
    """A finished training that tests only read."""

    photos: Path
    output: Path
    cache: Path
    stdout: str
    stderr: str = ""


def retrain(photos: Path, output: Path, *flags: str, base: Path | None = None) -> int:
    """Train on the small network, or another base, with a cache beside the output; return the exit status."""
    cache = str(output.parent / "cache")
    return main(
        ["retrain", str(photos), "-o", str(output), "--base", str(base or small_graph()), "--cache", cache, *flags]
    )


def report_of(output: Path) -> dict[str, Any]:
    """Return the report that a training wrote."""
    return dict(json.loads((output / "report.json").read_text()))


def predict(output: Path, photos: list[bytes]) -> NDArray[np.float32]:
    """Return the probabilities that a training's graph gives to photos, [photos, labels]."""
    import tensorflow as tf

    from dogid.photo.decode import decode

    graph = tf.compat.v1.GraphDef.FromString((output / "retrained_graph.pb").read_bytes())
    pixels = np.stack([(decode(photo, (SIDE, SIDE)).pixels.astype(np.float32) - 128) / 128 for photo in photos])
    function = tf.compat.v1.wrap_function(
        lambda x: tf.import_graph_def(graph, {"input:0": x}, ["final_result:0"], name=""),
        [tf.TensorSpec([None, SIDE, SIDE, 3], tf.float32)],
    )
    return np.asarray(function(tf.constant(pixels))[0])
