"""Finding a graph's input for pixels, and how the graph scales them.

Graphs of the retrain era begin in many ways: with a placeholder for normalised pixels, with one for raw pixels that are
scaled inside the graph, or with a whole JPEG decoder. All of them are cut behind what only decodes, resizes and scales,
and the scaling is returned as one (pixel - mean) / std.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.errors import UsageError
from dogid.model.graph_front import Affine, judge_order
from dogid.preprocessing import RGB
from dogid_convert.graph.inner_scaling import find_inner_scaling
from dogid_convert.graph.normalisation import Scaling, UniformNormalisation, determine_normalisation
from dogid_convert.graph.surgery import index_nodes, parse_node_name, read_constant
from dogid_convert.support.suggestions import did_you_mean

_DECODERS = frozenset({"DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeGif", "DecodeImage"})
_RESIZERS = frozenset({"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"})
_CARRIERS = frozenset({"Identity", "Cast", "ExpandDims", "StopGradient", "CheckNumerics", "Squeeze"})
_SCALERS = frozenset({"Sub", "Mul", "Add", "AddV2", "RealDiv", "Div"})
_FRONT = _DECODERS | _RESIZERS | _CARRIERS | _SCALERS

Node: TypeAlias = Any  # NodeDef: protocol buffers have no types here
Values: TypeAlias = NDArray[Any]
Nodes: TypeAlias = dict[str, Node]


@dataclass(frozen=True, slots=True)
class GraphInput:
    """The tensor at which a graph's network begins, and the normalisation of its values."""

    tensor: str
    """Name of a node whose first output is float [batch, height, width, 3]."""
    size: tuple[int, int] | None
    """(width, height), None where the graph does not define it."""
    normalisation: UniformNormalisation
    reason: str
    """How it was found, for the user."""


@dataclass(frozen=True, slots=True)
class _Front:
    """The nodes between the source and the network: decoding, resizing and scaling."""

    nodes: tuple[str, ...]
    scaling: Scaling
    size: tuple[int, int] | None


def find_input(
    graph: tf.compat.v1.GraphDef, wanted: str | None, given: tuple[float, float] | None, usual: UniformNormalisation
) -> GraphInput:
    """Return where pixels go into a graph that has only what its output needs.

    wanted is the input's name as given by the user, given the user's (mean, std) for that input, usual the
    normalisation of graphs that do not define one.

    Raise UsageError naming the candidates where there is none or more than one.
    """
    nodes = index_nodes(graph)
    source = _choose_source(nodes, wanted)
    front = _find_front(graph, nodes, _find_origin(nodes, source), through=source if wanted else None)
    last = front.nodes[-1]
    size = front.size or _read_size(nodes[last]) or _read_size(nodes[source])
    reason = "named by --input" if wanted else _explain_choice(nodes, source, front.nodes)
    if front.scaling.is_unknown:
        inner = find_inner_scaling(nodes, last, lambda name: _read_optional(nodes, name))
        usual = inner or usual
    return GraphInput(last, size, determine_normalisation(front.scaling, given, usual), reason)


def list_image_inputs(nodes: Nodes) -> list[str]:
    """Return the nodes that may take an image, in the graph's order."""
    return [node.name for node in nodes.values() if _takes_image(node, nodes)]


def _choose_source(nodes: Nodes, wanted: str | None) -> str:
    candidates = list_image_inputs(nodes)
    if wanted is not None:
        name = parse_node_name(wanted)
        if name not in nodes:
            meant = did_you_mean(name, list(nodes), candidates)
            raise UsageError(f"no input {wanted!r} on the way to the output. {meant}")
        return name
    others = [node.name for node in nodes.values() if node.op == "Placeholder" and node.name not in candidates]
    if len(candidates) == 1 and not others:
        return candidates[0]
    if not candidates and not others:
        raise UsageError("the graph takes no input: it has no placeholder on the way to its output")
    names = ", ".join(_describe_node(nodes[name]) for name in candidates + others)
    if len(candidates) == 1 and others:
        raise UsageError(f"the graph has several inputs ({names}); dogid runs graphs that take an image only")
    if not candidates:
        raise UsageError(f"no input of the graph takes images [batch, height, width, 3]: {names}; name one by --input")
    raise UsageError(f"the graph has several inputs that may take the image: {names}; choose one by --input")


def _takes_image(node: Node, nodes: Nodes) -> bool:
    kind = tf.as_dtype(node.attr["dtype"].type) if "dtype" in node.attr else None
    if kind == tf.string:
        decoders = (user for user in nodes.values() if user.op in _DECODERS)
        return any(parse_node_name(user.input[0]) == node.name for user in decoders)
    if node.op != "Placeholder" or kind not in (tf.float32, tf.float16, tf.uint8, tf.int32):
        return False
    shape = node.attr["shape"].shape
    if shape.unknown_rank or not shape.dim:
        return True  # old tools leave the shape out, and a scalar looks the same
    return len(shape.dim) in (3, 4) and shape.dim[-1].size in (3, -1)


def _describe_node(node: Node) -> str:
    shape = node.attr["shape"].shape
    dims = ", ".join("?" if dim.size < 0 else str(dim.size) for dim in shape.dim)
    return f"{node.name} [{dims}]" if shape.dim else node.name


def _find_origin(nodes: Nodes, name: str) -> str:
    """Walk back from a named input over decoders and scalers to the source of the pixels."""
    while nodes[name].op in _FRONT:
        data = [parse_node_name(tensor) for tensor in nodes[name].input]
        variable = [other for other in data if not _is_constant(nodes, other) or _takes_image(nodes[other], nodes)]
        if len(variable) != 1 or nodes[variable[0]].op not in _FRONT | {"Placeholder", "Const"}:
            return name
        name = variable[0]
    return name


def _find_front(graph: tf.compat.v1.GraphDef, nodes: Nodes, origin: str, through: str | None) -> _Front:
    users: dict[str, list[Node]] = {}
    for node in graph.node:
        for name in {parse_node_name(tensor) for tensor in node.input}:
            users.setdefault(name, []).append(node)
    path, scale, shift, size = [origin], 1.0, 0.0, None
    passed = through is None or through == origin
    channel_shift, channels = None, RGB
    kind = tf.as_dtype(nodes[origin].attr["dtype"].type) if "dtype" in nodes[origin].attr else tf.float32
    decoded = kind in (tf.uint8, tf.int32, tf.string)
    while len(users.get(path[-1], [])) == 1:
        node = users[path[-1]][0]
        if node.op in _RESIZERS:
            height, width = (int(side) for side in _read_value(nodes, node.input[1]).ravel())
            size = (width, height)
        elif node.op in _SCALERS:
            step = _read_step(nodes, node, path[-1])
            if step is None:
                break
            factor, offset = step
            if factor.size > 1 or offset.size > 1:
                channel_shift = float(np.abs(offset).mean()) or None
                is_unscaled = scale == 1.0 and shift == 0.0 and factor.size == 1
                channels = (judge_order(Affine(np.ones(1), offset)) if is_unscaled else None) or RGB
                break
            scale, shift = scale * float(factor), shift * float(factor) + float(offset)
        elif node.op not in _CARRIERS | _DECODERS:
            break
        path.append(node.name)
        passed = passed or node.name == through
    if not passed:
        raise UsageError(f"the input {through!r} is not where the graph's image goes in")
    return _Front(tuple(path), Scaling(scale, shift, decoded, channel_shift, channels), size)


def _read_step(nodes: Nodes, node: Node, before: str) -> tuple[Values, Values] | None:
    """Return (factor, offset) of a node that computes factor * x + offset, None where it does not."""
    first, second = (parse_node_name(tensor) for tensor in node.input)
    other = second if first == before else first
    if first == second or not _is_constant(nodes, other):
        return None
    value = _read_value(nodes, other).astype(np.float64)
    value = value.reshape(()) if value.size == 1 else value
    one, none = np.ones(()), np.zeros(())
    if node.op in ("Add", "AddV2"):
        return one, value
    if node.op == "Mul":
        return value, none
    if node.op == "Sub":
        return (one, -value) if first == before else (-one, value)
    return (1 / value, none) if first == before else None


def _is_constant(nodes: Nodes, name: str) -> bool:
    return bool(_skip_casts(nodes, name).op == "Const")


def _skip_casts(nodes: Nodes, name: str) -> Node:
    while nodes[name].op in ("Identity", "Cast"):
        name = parse_node_name(nodes[name].input[0])
    return nodes[name]


def _read_value(nodes: Nodes, tensor: str) -> Values:
    node = _skip_casts(nodes, parse_node_name(tensor))
    if node.op != "Const":
        raise UsageError(f"the graph computes the size of its image, {node.name!r}, as it runs; name a later --input")
    return read_constant(node)


def _read_optional(nodes: Nodes, name: str) -> Values | None:
    return _read_value(nodes, name) if _is_constant(nodes, name) else None


def _read_size(node: Node) -> tuple[int, int] | None:
    dims = [dim.size for dim in node.attr["shape"].shape.dim] if "shape" in node.attr else []
    if len(dims) == 4 and dims[1] > 0 and dims[2] > 0:
        return dims[2], dims[1]
    return None


def _explain_choice(nodes: Nodes, source: str, front: tuple[str, ...]) -> str:
    if source == front[-1]:
        return "the graph's only input"
    changed = any(nodes[name].op in _DECODERS | _RESIZERS | _SCALERS for name in front)
    return f"the graph's only input {source}" + (", behind its own decoding and scaling" if changed else "")
