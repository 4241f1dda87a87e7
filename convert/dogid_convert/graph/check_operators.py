"""Finding operators that cannot be converted, before anything is converted."""

import re

import tensorflow as tf

from dogid.errors import DogidError
from dogid.file_names import join_names

_VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp", "ReadVariableOp", "HashTableV2", "RestoreV2"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile"})

_QUANTIZED = frozenset({"Dequantize", "QuantizedConv2D", "QuantizedMatMul"})
"""Operators of TensorFlow's former quantization, as in the codelab's quantized_graph.pb."""


def check_calls(graph: tf.compat.v1.GraphDef) -> None:
    """Raise DogidError where a graph's layers hide in functions, of which some run only under conditions."""
    calls = [node.name for node in graph.node if node.op in _CALLS]
    if calls:
        raise DogidError(
            f"the graph calls functions ({join_names(calls, 3)}) instead of holding its layers itself; give the "
            "SavedModel folder or Keras file that it was made of"
        )


def check_operators(graph: tf.compat.v1.GraphDef) -> None:
    """Raise DogidError where the graph is not frozen or has operators that TensorFlow does not know."""
    variables = [node.name for node in graph.node if node.op in _VARIABLES]
    if variables:
        raise DogidError(
            f"the graph is not frozen: {join_names(variables, 3)} hold weights that are not in the file; freeze it "
            "first (tf.compat.v1.graph_util.convert_variables_to_constants) or give the SavedModel folder"
        )
    if any(node.op in _QUANTIZED for node in graph.node):
        raise DogidError(
            "the graph is quantized already, in a form that TensorFlow Lite does not read (graph_transforms): give the "
            "frozen graph that it was made of, such as retrained_graph.pb; dogid quantizes it itself"
        )
    unknown = sorted({node.op for node in graph.node if not _is_known(node.op)})
    if unknown:
        raise DogidError(
            f"the graph has operators of its own that TensorFlow does not know: {join_names(unknown)}; they would need "
            "a library in every interpreter. Export the graph again without them"
        )


def explain_failure(error: Exception) -> str:
    """Given the converter's many pages about operators that TFLite does not have, return their names."""
    text = str(error)
    names = sorted(set(re.findall(r"tf\.([A-Z]\w+)", text)))
    if names:
        return f"TensorFlow Lite has no operator for {join_names(names)}"
    lines = [line for line in text.splitlines() if "error:" in line] or text.strip().splitlines() or [repr(error)]
    return lines[0].strip()[:300]


def _is_known(op: str) -> bool:
    return hasattr(tf.raw_ops, op) or op.startswith("_")
