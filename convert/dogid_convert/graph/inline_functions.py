"""Putting the layers of a graph's own functions in the place of their calls."""

from typing import Any, TypeAlias

import tensorflow as tf
from tensorflow.python.framework.function_def_to_graph import function_def_to_graph_def

from dogid.errors import DogidError
from dogid_convert.graph.surgery import make_graph, parse_node_name, read_constant

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_CONDITIONS = frozenset({"If", "StatelessIf"})
_DEEPEST = 30
_INSIDE = "inlined"  # TensorFlow itself names nodes beside a call "call/Identity"

Node: TypeAlias = Any  # NodeDef: protocol buffers have no types here


def inline_functions(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """Return the graph with all calls of functions that always run resolved. Raise DogidError where it is damaged."""
    if not graph.library.function:
        return graph
    functions = {function.signature.name: function for function in graph.library.function}
    with tf.Graph().as_default():
        # reading a function needs those that it calls to be known
        tf.import_graph_def(tf.compat.v1.GraphDef(library=graph.library, versions=graph.versions), name="")
        nodes = list(graph.node)
        for _ in range(_DEEPEST):
            named = {node.name: node for node in nodes}
            called = {node.name: name for node in nodes if (name := _find_called_function(named, node)) in functions}
            if not called:
                return make_graph(nodes, graph)
            nodes = _inline_one_level(nodes, {name: functions[function] for name, function in called.items()})
    raise DogidError(f"the graph's functions call each other more than {_DEEPEST} deep; it cannot be converted")


def _find_called_function(nodes: dict[str, Node], node: Node) -> str:
    """Return the name of the function that a node runs for certain, if it is a call at all."""
    if node.op in _CALLS:
        return str(node.attr["f"].func.name)
    if node.op in _CONDITIONS:
        taken = _read_condition(nodes, node.input[0])
        return "" if taken is None else str(node.attr["then_branch" if taken else "else_branch"].func.name)
    return str(node.op)


def _read_condition(nodes: dict[str, Node], tensor: str) -> bool | None:
    """Return a condition that is always the same in use: a constant, a default, or "is this training?"."""
    node = nodes[parse_node_name(tensor)]
    while node.op in ("Identity", "PlaceholderWithDefault"):
        node = nodes[parse_node_name(node.input[0])]
    if node.op == "Placeholder" and node.attr["dtype"].type == tf.bool.as_datatype_enum:
        return False
    return bool(read_constant(node)) if node.op == "Const" else None


def _inline_one_level(nodes: list[Node], functions: dict[str, Any]) -> list[Node]:
    """functions are those to put in place, by the names of their calls."""
    result: list[Node] = []
    outputs: dict[str, list[str]] = {}
    for node in nodes:
        function = functions.get(node.name)
        if function is None:
            result.append(node)
            continue
        body, outputs[node.name] = _copy_body(node, function)
        result += body
    for node in result:
        node.input[:] = [_redirect(tensor, outputs) for tensor in node.input]
    return result


def _copy_body(call: Node, function: Any) -> tuple[list[Node], list[str]]:
    """Return a function's nodes, named after the call, and the tensors that it returns."""
    graph, flat = function_def_to_graph_def(function)
    inside = f"{call.name}/{_INSIDE}"
    given = [tensor for tensor in call.input if not tensor.startswith("^")][call.op in _CONDITIONS :]
    arguments = {argument.name: given[i] for i, argument in enumerate(function.signature.input_arg)}

    def outside(tensor: str) -> str:
        name = parse_node_name(tensor)
        if name in arguments:
            return f"^{parse_node_name(arguments[name])}" if tensor.startswith("^") else arguments[name]
        return f"^{inside}/{name}" if tensor.startswith("^") else f"{inside}/{tensor}"

    nodes = []
    for node in graph.node:
        if node.name in arguments:
            continue
        node.input[:] = [outside(tensor) for tensor in node.input]
        node.name = f"{inside}/{node.name}"
        nodes.append(node)
    returned = [function.ret[output.name] for output in function.signature.output_arg]
    tensors = [outside(flat.get(tensor, tensor)) for tensor in returned]
    if tensors:
        # under the call's own name: it may be the graph's output
        named = tf.compat.v1.NodeDef(name=call.name, op="Identity", input=[tensors[0]])
        named.attr["T"].type = _find_output_type(call, function)
        nodes.append(named)
    return nodes, tensors


def _find_output_type(call: Node, function: Any) -> int:
    kinds = call.attr["Tout"].list.type
    return int(kinds[0] if kinds else function.signature.output_arg[0].type)


def _redirect(tensor: str, outputs: dict[str, list[str]]) -> str:
    name, _, place = tensor.partition(":")
    return outputs[name][int(place)] if place not in ("", "0") and name in outputs else tensor
