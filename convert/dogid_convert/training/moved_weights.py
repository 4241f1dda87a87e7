"""What a training changed in the network, measured on the graph that is written."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from dogid_convert.graph import surgery


@dataclass(frozen=True, slots=True)
class MovedWeights:
    """How far the float constants of the base lie from those of the written graph."""

    constants: int
    """That both have, by name."""
    moved: int
    """Those of them that differ by more than rounding."""
    largest: float
    """The largest change of a single weight."""


_ROUNDING = 1e-5  # relative to a constant's largest weight; training moves weights by a hundred times as much


def measure_moved_weights(base: tf.compat.v1.GraphDef, written: bytes) -> MovedWeights:
    """Compare the constants of base with those of the same name in a serialized graph."""
    before = surgery.index_nodes(base)
    count, moved, largest = 0, 0, 0.0
    for node in tf.compat.v1.GraphDef.FromString(written).node:
        if node.op != "Const" or node.name not in before or before[node.name].op != "Const":
            continue
        old, new = (np.asarray(surgery.read_constant(of)) for of in (before[node.name], node))
        if new.dtype != np.float32 or not new.size or old.shape != new.shape:
            continue
        count += 1
        distance = float(np.abs(np.subtract(new, old)).max())
        moved += distance > _ROUNDING * float(np.abs(old).max())
        largest = max(largest, distance)
    return MovedWeights(count, moved, largest)
