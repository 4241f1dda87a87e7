"""Reading and rebuilding frozen TensorFlow 1 GraphDefs of any origin.

A foreign graph is first brought to one plain form: only what the output needs, constants computed, identities gone and
batch normalization folded into the convolutions. Every later step then has little to understand.
"""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError

Array = NDArray[np.generic]

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
_PASS_THROUGH = ("Identity", "PlaceholderWithDefault", "StopGradient", "CheckNumerics")
_POOLING = ("Mean", "AvgPool", "MaxPool")


def parse_node_name(tensor: str) -> str:
    """Return the node that an input of a NodeDef names: `^a`, `a:0` and `a` are all of `a`."""
    return tensor.removeprefix("^").split(":")[0]


def index_nodes(graph: tf.compat.v1.GraphDef) -> dict[str, tf.compat.v1.NodeDef]:
    """Return the nodes, in the graph's order."""
    return {node.name: node for node in graph.node}


def read_constant(node: tf.compat.v1.NodeDef) -> Array:
    """Return the value of a Const."""
    value: Array = tf.make_ndarray(node.attr["value"].tensor)
    return value


def make_constant(name: str, value: Array) -> tf.compat.v1.NodeDef:
    """Return a Const of that value."""
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return node


def make_graph(nodes: Iterable[tf.compat.v1.NodeDef], like: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Return a GraphDef of these nodes, for the same version of TensorFlow as like."""
    graph = tf.compat.v1.GraphDef(node=list(nodes))
    graph.versions.CopyFrom(like.versions)
    return graph


def extract_subgraph(graph: tf.compat.v1.GraphDef, output: str) -> tf.compat.v1.GraphDef:
    """Return the nodes that output needs, inputs before users, without control inputs."""
    nodes = index_nodes(graph)
    done: dict[str, tf.compat.v1.NodeDef] = {}
    begun: set[str] = set()
    stack = [(output, False)]
    while stack:
        name, inputs_done = stack.pop()
        if name in done:
            continue
        if name not in nodes:
            raise DogidError(f"the graph is damaged: it uses a node {name!r} that it does not have")
        data = [tensor for tensor in nodes[name].input if not tensor.startswith("^")]
        if inputs_done:
            node = tf.compat.v1.NodeDef()
            node.CopyFrom(nodes[name])
            node.input[:] = data
            done[name] = node
        elif name in begun:
            raise DogidError(f"the graph runs in a loop at {name!r}: dogid converts networks without loops")
        else:
            begun.add(name)
            stack.append((name, True))
            stack.extend((parse_node_name(tensor), False) for tensor in reversed(data))
    return make_graph(done.values(), graph)


def simplify(graph: tf.compat.v1.GraphDef, output: str, keep: str = "") -> tf.compat.v1.GraphDef:
    """Return the graph up to output in the plain form. The node called keep (the input) stays as it is."""
    plain = extract_subgraph(_remove_pass_through(extract_subgraph(graph, output), {output, keep}), output)
    return extract_subgraph(_fold_batch_norms(_fold_constants(plain)), output)


def _remove_pass_through(graph: tf.compat.v1.GraphDef, keep: set[str]) -> tf.compat.v1.GraphDef:
    source: dict[str, str] = {}
    kept = []
    for node in graph.node:
        node.input[:] = [source.get(tensor.removesuffix(":0"), tensor) for tensor in node.input]
        if node.op in _PASS_THROUGH and node.name not in keep:
            source[node.name] = node.input[0]
        else:
            kept.append(node)
    return make_graph(kept, graph)


def _fold_constants(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Replace nodes that depend on constants only by their values."""
    fixed: set[str] = set()
    frontier: set[str] = set()
    for node in graph.node:
        inputs = [parse_node_name(tensor) for tensor in node.input]
        if node.op == "Const" or (inputs and all(name in fixed for name in inputs)):
            fixed.add(node.name)
        else:
            frontier.update(name for name in inputs if name in fixed)
    nodes = index_nodes(graph)
    wanted = [name for name in nodes if name in frontier and nodes[name].op != "Const"]
    values = dict(zip(wanted, _evaluate(graph, wanted), strict=True))
    result = []
    for node in graph.node:
        if node.name in values:
            result.append(make_constant(node.name, values[node.name]))
        elif node.name not in fixed or node.name in frontier:
            result.append(node)
    return make_graph(result, graph)


def _evaluate(graph: tf.compat.v1.GraphDef, names: list[str]) -> list[Array]:
    """Return the values of nodes that depend on constants only; the graph has inputs before users."""
    if not names:
        return []
    needed = set(names)
    for node in reversed(graph.node):
        if node.name in needed:
            needed.update(map(parse_node_name, node.input))
    # without the kernels, which are not asked for, and which TensorFlow would copy several times
    part = make_graph((node for node in graph.node if node.name in needed), graph)
    function = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(part, return_elements=[f"{name}:0" for name in names], name=""),
        [],
    )
    return [tensor.numpy() for tensor in function()]


def _fold_batch_norms(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Multiply factors of a convolution's channels into its weights: batch normalization leaves only a bias."""
    from tensorflow.python.tools.optimize_for_inference_lib import fold_batch_norms

    graph = fold_batch_norms(graph)
    nodes = index_nodes(graph)
    users = _count_users(graph)
    renamed: dict[str, str] = {}
    for node in graph.node:
        node.input[:] = [renamed.get(tensor, tensor) for tensor in node.input]
        if node.op != "Mul" or len(node.input) != 2:
            continue
        names = [parse_node_name(tensor) for tensor in node.input]
        convolution, scale = (nodes[names[0]], nodes[names[1]])
        if convolution.op not in CONVOLUTIONS:
            convolution, scale = scale, convolution
        if convolution.op not in CONVOLUTIONS or scale.op != "Const" or users[convolution.name] != 1:
            continue
        weights = nodes[parse_node_name(convolution.input[1])]
        if weights.op != "Const" or users[weights.name] != 1:
            continue
        value, factor = read_constant(weights), read_constant(scale).astype(np.float32).ravel()
        shape = value.shape[2:] if convolution.op == "DepthwiseConv2dNative" else (1, value.shape[3])
        if factor.size not in (1, int(np.prod(shape))):
            continue
        scaled = value.astype(np.float32) * np.broadcast_to(factor, int(np.prod(shape))).reshape(shape)
        weights.CopyFrom(make_constant(weights.name, scaled.astype(value.dtype)))
        renamed[node.name] = convolution.name
    return make_graph((node for node in graph.node if node.name not in renamed), graph)


def _count_users(graph: tf.compat.v1.GraphDef) -> dict[str, int]:
    users = {node.name: 0 for node in graph.node}
    for node in graph.node:
        for tensor in node.input:
            users[parse_node_name(tensor)] += 1
    return users


def find_main_path(graph: tf.compat.v1.GraphDef, start: str, end: str) -> list[str]:
    """Return the nodes that everything on the way from start to end passes through, in order, both ends included.

    The graph can be cut in two at each of them. Raise DogidError where no way leads from start to end.
    """
    graph = extract_subgraph(graph, end)
    on_way = {start}
    for node in graph.node:
        if any(parse_node_name(tensor) in on_way for tensor in node.input):
            on_way.add(node.name)
    if end not in on_way:
        raise DogidError(f"the graph's output {end!r} does not depend on its input {start!r}")
    order = [node.name for node in graph.node if node.name in on_way]
    place = {name: i for i, name in enumerate(order)}
    farthest = list(range(len(order)))
    for node in graph.node:
        for tensor in node.input:
            if node.name in place and parse_node_name(tensor) in place:
                source = place[parse_node_name(tensor)]
                farthest[source] = max(farthest[source], place[node.name])
    # an edge from before a node to behind it is a way around it
    path, reach = [], 0
    for i, name in enumerate(order):
        if reach <= i:
            path.append(name)
        reach = max(reach, farthest[i])
    return path


def find_last_pooling(graph: tf.compat.v1.GraphDef, path: list[str]) -> str | None:
    """Return the last node of the path that pools; what follows it classifies."""
    nodes = index_nodes(graph)
    return next((name for name in reversed(path) if nodes[name].op in _POOLING), None)


def find_cut(graph: tf.compat.v1.GraphDef, path: list[str], convolutions: int) -> str:
    """Return the last node of the path with at least that many convolutions between it and the path's end."""
    nodes = index_nodes(graph)
    for candidate in reversed(path):
        behind = list_downstream(graph, candidate, path[-1])
        if sum(nodes[name].op in CONVOLUTIONS for name in behind) >= convolutions:
            return candidate
    raise UsageError(f"the base has fewer than {convolutions} convolutions to fine-tune")


def list_downstream(graph: tf.compat.v1.GraphDef, start: str, end: str) -> list[str]:
    """Return the nodes that depend on start and that end needs, in order, without start."""
    order = extract_subgraph(graph, end).node
    after = {start}
    for node in order:
        if node.name != start and any(parse_node_name(tensor) in after for tensor in node.input):
            after.add(node.name)
    return [node.name for node in order if node.name in after and node.name != start]


def replace_constants(graph: tf.compat.v1.GraphDef, values: dict[str, Array]) -> tf.compat.v1.GraphDef:
    """Return the graph with other values in the constants of these names."""
    return make_graph(
        (make_constant(node.name, values[node.name]) if node.name in values else node for node in graph.node), graph
    )
