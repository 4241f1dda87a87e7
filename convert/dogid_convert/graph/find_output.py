"""Finding a graph's output, and whether it is probabilities or logits."""

from dataclasses import dataclass

import tensorflow as tf

from dogid.errors import UsageError
from dogid.file_names import join_names
from dogid_convert.graph.surgery import extract_subgraph, index_nodes, parse_node_name
from dogid_convert.support.suggestions import did_you_mean

RETRAINED_OUTPUT = "final_result"
"""The name that TensorFlow's retrain example gives its output."""

_WEIGHTED = frozenset({"Conv2D", "DepthwiseConv2dNative", "MatMul", "FusedConv2D", "_FusedConv2D", "_FusedMatMul"})
_SAME_VALUES = frozenset({"Identity", "Reshape", "Squeeze", "Cast", "StopGradient", "CheckNumerics"})
_NOT_ANSWERS = frozenset({"Const", "Placeholder", "NoOp", "Assert", "SaveV2", "ShardedFilename", "MergeV2Checkpoints"})
_SUMMARIES = frozenset({"ScalarSummary", "HistogramSummary", "ImageSummary", "MergeSummary"})
_CHOOSERS = frozenset({"ArgMax", "TopKV2", "InTopK", "InTopKV2"})


@dataclass(frozen=True, slots=True)
class GraphOutput:
    """A graph's output."""

    tensor: str
    """Name of a node whose first output is [1, classes] or holds as many values."""
    probabilities: bool
    """Whether it is the result of a softmax or sigmoid; else logits."""
    reason: str
    """How it was found, for the user."""
    logits: str | None = None
    """Where probabilities are a sigmoid's: the tensor that goes into it."""


def find_output(graph: tf.compat.v1.GraphDef, wanted: str | None) -> GraphOutput:
    """Return the graph's output: wanted, or the only one that is there. Raise UsageError naming the candidates."""
    nodes = index_nodes(graph)
    ends = _find_ends(graph)
    if wanted is not None:
        name = parse_node_name(wanted)
        if name not in nodes:
            raise UsageError(f"no output {wanted!r} in the graph. {did_you_mean(name, list(nodes), ends)}")
        return _make_output(nodes, name, "named by --output-node")
    if RETRAINED_OUTPUT in nodes:
        return _make_output(nodes, RETRAINED_OUTPUT, "the retrain example's name for it")
    if not ends:
        raise UsageError("the graph classifies nothing: it has no output with a convolution or matrix product behind")
    if len(ends) > 1:
        raise UsageError(f"the graph has several outputs: {join_names(ends)}; choose one by --output-node")
    return _make_output(nodes, ends[0], "the graph's only output")


def _find_ends(graph: tf.compat.v1.GraphDef) -> list[str]:
    """Return the unused nodes that depend on weights; for a choice such as ArgMax, its input."""
    nodes = index_nodes(graph)
    used = {parse_node_name(tensor) for node in graph.node for tensor in node.input}
    ends: list[str] = []
    for node in graph.node:
        if node.name in used or node.op in _NOT_ANSWERS | _SUMMARIES:
            continue
        name = _skip_choice(nodes, node.name)
        if name not in ends and any(part.op in _WEIGHTED for part in extract_subgraph(graph, name).node):
            ends.append(name)
    # an end that another end is computed from is not an output
    return [name for name in ends if not any(name != other and _feeds(graph, name, other) for other in ends)]


def _skip_choice(nodes: dict[str, tf.compat.v1.NodeDef], name: str) -> str:
    while nodes[name].op in _CHOOSERS | {"Cast", "Equal"} and nodes[name].input:
        name = parse_node_name(nodes[name].input[0])
    return name


def _feeds(graph: tf.compat.v1.GraphDef, name: str, end: str) -> bool:
    return any(node.name == name for node in extract_subgraph(graph, end).node)


def _make_output(nodes: dict[str, tf.compat.v1.NodeDef], tensor: str, reason: str) -> GraphOutput:
    name = tensor
    while nodes[name].op in _SAME_VALUES:
        name = parse_node_name(nodes[name].input[0])
    kind = nodes[name].op
    return GraphOutput(
        tensor, kind in ("Softmax", "Sigmoid"), reason, nodes[name].input[0] if kind == "Sigmoid" else None
    )
