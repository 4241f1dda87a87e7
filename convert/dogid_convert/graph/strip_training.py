"""Removing the nodes of a graph that only training needs: defaults, dropout, fake quantization, switches."""

from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from dogid_convert.graph.surgery import (
    extract_subgraph,
    index_nodes,
    make_constant,
    make_graph,
    parse_node_name,
    read_constant,
)

_RANDOM = frozenset({"RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2", "RandomStandardNormal"})
_OLD_BATCH_NORM = "BatchNormWithGlobalNormalization"
_FAKE_QUANTIZATION = "FakeQuantWithMinMax"  # the beginning of three operators' names
_SCALERS = frozenset({"Mul", "RealDiv", "Div"})
_SELECTORS = frozenset({"Select", "SelectV2"})

Node: TypeAlias = Any  # NodeDef: protocol buffers have no types here
Nodes: TypeAlias = dict[str, Node]


def strip_training(graph: tf.compat.v1.GraphDef, output: str, keep: str | None) -> tf.compat.v1.GraphDef:
    """Return the nodes that output needs when the graph is used, not trained. The node called keep stays as it is."""
    graph = _take_defaults(extract_subgraph(graph, output), keep)
    graph = _resolve_switches(graph)
    graph = extract_subgraph(_remove_dropout(extract_subgraph(graph, output)), output)
    return extract_subgraph(_replace_old_batch_norms(graph), output)


def _replace_old_batch_norms(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Fold the batch normalization of 2015 into its convolutions: TensorFlow itself refuses the operator today."""
    if not any(node.op == _OLD_BATCH_NORM for node in graph.node):
        return graph
    from tensorflow.python.tools.optimize_for_inference_lib import fold_batch_norms

    return fold_batch_norms(graph)


def _take_defaults(graph: tf.compat.v1.GraphDef, keep: str | None) -> tf.compat.v1.GraphDef:
    """A placeholder with a default is its default, except where it is the input: named by the user, or for images.

    Fake quantization goes too: it prepares weights for a quantization with other ranges than those measured here.
    """
    kept = []
    for node in graph.node:
        if _is_image_with_default(graph, node):
            kept.append(_make_placeholder(node))
        elif node.op == "PlaceholderWithDefault" and node.name != keep:
            node.attr["T"].type = node.attr["dtype"].type
            kept.append(_make_identity(node, node.input[0]))
        elif node.op.startswith(_FAKE_QUANTIZATION):
            node.attr["T"].type = tf.float32.as_datatype_enum
            kept.append(_make_identity(node, node.input[0]))
        else:
            kept.append(node)
    return make_graph(kept, graph)


def _is_image_with_default(graph: tf.compat.v1.GraphDef, node: Node) -> bool:
    """Whether an image (or an encoded one) can be fed, and what stands for it is fixed."""
    if node.op != "PlaceholderWithDefault":
        return False
    dims = [dim.size for dim in node.attr["shape"].shape.dim]
    if node.attr["dtype"].type != tf.string.as_datatype_enum and (len(dims) != 4 or dims[3] != 3):
        return False
    return all(part.op != "Placeholder" for part in extract_subgraph(graph, parse_node_name(node.input[0])).node)


def _make_placeholder(node: Node) -> Node:
    placeholder = tf.compat.v1.NodeDef(name=node.name, op="Placeholder")
    for name in ("dtype", "shape"):
        placeholder.attr[name].CopyFrom(node.attr[name])
    return placeholder


def _resolve_switches(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Set boolean placeholders (is_training, is it a learning phase?) to false and follow TF1's Switch and Merge."""
    nodes = index_nodes(graph)
    kept = []
    for node in graph.node:
        boolean = node.op == "Placeholder" and node.attr["dtype"].type == tf.bool.as_datatype_enum
        if boolean:
            node = make_constant(node.name, np.zeros((), dtype=np.bool_))
            nodes[node.name] = node
        elif node.op == "Merge":
            node = _make_identity(node, _find_live_input(nodes, node))
        kept.append(node)
    return make_graph((_skip_switch(nodes, node) for node in kept), graph)


def _find_live_input(nodes: Nodes, merge: Node) -> str:
    live = [tensor for tensor in merge.input if not _is_dead(nodes, tensor, set())]
    return str(live[0] if live else merge.input[0])


def _is_dead(nodes: Nodes, tensor: str, seen: set[str]) -> bool:
    """Whether a tensor hangs on the side of a Switch that is not taken."""
    node = nodes[parse_node_name(tensor)]
    if node.op == "Switch":
        taken = _read_boolean(nodes, node.input[1])
        return taken is not None and (1 if taken else 0) != (1 if tensor.endswith(":1") else 0)
    if node.name in seen or node.op == "Merge":
        return False
    seen.add(node.name)
    return any(_is_dead(nodes, source, seen) for source in node.input)


def _read_boolean(nodes: Nodes, tensor: str) -> bool | None:
    node, negated = nodes[parse_node_name(tensor)], False
    while node.op in ("Identity", "LogicalNot"):
        negated ^= node.op == "LogicalNot"
        node = nodes[parse_node_name(node.input[0])]
    return bool(read_constant(node)) ^ negated if node.op == "Const" else None


def _skip_switch(nodes: Nodes, node: Node) -> Node:
    if node.op == "Switch":
        return _make_identity(node, node.input[0]) if _read_boolean(nodes, node.input[1]) is not None else node
    # a Switch that became an Identity has one output only
    for i, tensor in enumerate(node.input):
        source = nodes.get(parse_node_name(tensor))
        if source is not None and source.op == "Switch" and _read_boolean(nodes, source.input[1]) is not None:
            node.input[i] = parse_node_name(tensor)
    return node


def _make_identity(node: Node, tensor: str) -> Node:
    identity = tf.compat.v1.NodeDef(name=node.name, op="Identity", input=[tensor])
    identity.attr["T"].type = node.attr["T"].type
    return identity


def _remove_dropout(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Replace x / keep * mask, whatever its mask is made of, by x.

    What random numbers lead to is the mask; where it meets x, scaled or not, in a product or a selection, dropout
    ends.
    """
    random = {node.name for node in graph.node if node.op in _RANDOM}
    if not random:
        return graph
    nodes = index_nodes(graph)
    kept = []
    for node in graph.node:
        tainted = [tensor for tensor in node.input if parse_node_name(tensor) in random]
        if tainted and node.op in _SELECTORS | {"Mul"} and not _is_mask(nodes, node, random):
            data = next(tensor for tensor in node.input if tensor not in tainted)
            kept.append(_make_identity(node, _skip_scaling(nodes, data)))
            continue
        if tainted:
            random.add(node.name)
        kept.append(node)
    return make_graph(kept, graph)


def _is_mask(nodes: Nodes, node: Node, random: set[str]) -> bool:
    """Whether a product is still part of making the mask: random numbers are scaled by constants."""
    others = [parse_node_name(tensor) for tensor in node.input if parse_node_name(tensor) not in random]
    return all(_depends_only_on_scalars(nodes, name) for name in others)


def _depends_only_on_scalars(nodes: Nodes, name: str, depth: int = 8) -> bool:
    node = nodes[name]
    if node.op == "Const":
        return True
    if node.op == "Placeholder":
        return not node.attr["shape"].shape.dim and not node.attr["shape"].shape.unknown_rank
    simple = node.op in ("Identity", "Sub", "Add", "AddV2", "Mul", "RealDiv")
    return (
        depth > 0
        and simple
        and all(_depends_only_on_scalars(nodes, parse_node_name(tensor), depth - 1) for tensor in node.input)
    )


def _skip_scaling(nodes: Nodes, tensor: str) -> str:
    """Given x / keep or x * (1 / keep), return x."""
    node = nodes[parse_node_name(tensor)]
    if node.op not in _SCALERS:
        return tensor
    first, second = node.input
    if _depends_only_on_scalars(nodes, parse_node_name(second)):
        return str(first)
    if node.op == "Mul" and _depends_only_on_scalars(nodes, parse_node_name(first)):
        return str(second)
    return tensor
