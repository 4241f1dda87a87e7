"""What the operators behind a graph's input show of its range, where they cannot be cut off with the input.

Zero padding, a change of the colours' order, or factors for each colour stay in the network; they show nevertheless
whether it takes pixels 0..255 or values 0..1, by the same rules as the daemon applies to a `.tflite`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.model.graph_front import ADD, DIV, MUL, SUB, Affine, judge_scaling
from dogid.preprocessing import RGB
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.graph.surgery import parse_node_name

_KEEPS = frozenset({"Identity", "Cast", "Squeeze", "ExpandDims", "Reshape", "ResizeBilinear", "ResizeNearestNeighbor"})
_MOVES = frozenset(
    {"Pad", "PadV2", "MirrorPad", "StridedSlice", "ReverseV2", "Transpose", "Split", "Unpack", "GatherV2"}
)
_SCALERS = {"Add": ADD, "AddV2": ADD, "BiasAdd": ADD, "Sub": SUB, "Mul": MUL, "RealDiv": DIV, "Div": DIV}

ReadConstant = Callable[[str], NDArray[Any] | None]
"""Returns the value of a node, None where it is no constant."""


def find_inner_scaling(nodes: dict[str, Any], start: str, constant: ReadConstant) -> UniformNormalisation | None:
    """Return the normalisation that the nodes behind start show, in their order; None where they show none."""
    values = {start: Affine(np.ones(1), np.zeros(1))}
    for node in nodes.values():
        inputs = [parse_node_name(tensor) for tensor in node.input if not tensor.startswith("^")]
        taken = [name for name in inputs if name in values]
        if not taken or node.op == "Shape":
            continue
        made = _pass(node, inputs, values, constant)
        if made is None:
            found = None if values[taken[0]].is_unchanged else judge_scaling(values[taken[0]])
            return None if found is None else _uniform(*found)
        values[node.name] = made
    return None


def _pass(node: Any, inputs: list[str], values: dict[str, Affine], constant: ReadConstant) -> Affine | None:
    """What a node makes of the input; None where it belongs to the network."""
    before = next(values[name] for name in inputs if name in values)
    if node.op in _KEEPS:
        return before
    if node.op in _MOVES:
        return Affine(before.scale, before.shift, moved=True)
    if node.op == "ConcatV2" and all(name in values for name in inputs[:-1]):
        parts = [values[name] for name in inputs[:-1]]
        scale, shift = (part.scale.mean() for part in parts), (part.shift.mean() for part in parts)
        return Affine(np.mean(list(scale), keepdims=True), np.mean(list(shift), keepdims=True), moved=True)
    if node.op not in _SCALERS or len(inputs) != 2:
        return None
    is_first = inputs[0] in values
    value = constant(inputs[1] if is_first else inputs[0])
    if value is None or value.size not in (1, 3) or (node.op in ("RealDiv", "Div") and not (is_first and value.all())):
        return None
    return before.after(_SCALERS[node.op], value.astype(np.float64), is_first=is_first)


def _uniform(normalisation: Any, reason: str, channels: str | None) -> UniformNormalisation:
    return UniformNormalisation(normalisation.mean[0], normalisation.std[0], reason, channels=channels or RGB)
