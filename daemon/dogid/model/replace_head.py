"""Replacing a model's last layer: the network stays as it is, a float layer and a softmax follow it.

Source of the fields: tensorflow/lite/schema/schema.fbs; their numbers are their order there.
"""

import struct
from collections.abc import Sequence, Set

from dogid.model.flatbuffer_tree import Node, read_tree, write_tree
from dogid.model.head import Head
from dogid.model.last_layer import DEQUANTIZE, FULLY_CONNECTED, SOFTMAX, LastLayer, find_last_layer
from dogid.model.tflite_metadata import METADATA

_OPERATOR_CODES, _SUBGRAPHS, _BUFFERS, _METADATA_BUFFERS, _METADATA, _SIGNATURES = 1, 2, 4, 5, 6, 7  # Model
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3  # SubGraph
_SHAPE, _BUFFER, _NAME = 0, 2, 3  # Tensor
_KIND, _TAKES, _MAKES, _OPTIONS_TYPE, _OPTIONS, _INTERMEDIATES = 0, 1, 2, 3, 4, 8  # Operator
_OLD_CODE, _VERSION, _CODE = 0, 2, 3  # OperatorCode
_ENTRY_NAME, _ENTRY_BUFFER = 0, 1  # Metadata
_BETA = 0  # SoftmaxOptions
_LEFT_OUT = -1  # an operator's input that is not given
_FULLY_CONNECTED_OPTIONS, _SOFTMAX_OPTIONS = 8, 9  # numbers of the union BuiltinOptions
_VERSIONS = {DEQUANTIZE: 2, FULLY_CONNECTED: 1, SOFTMAX: 1}  # of the operators: the first of DEQUANTIZE knows no int8


def replace_head(data: bytes, head: Head, metadata: bytes) -> bytes:
    """Given a model's bytes, return it with another last layer, which may have another number of labels.

    metadata is its new standard metadata. Raise NoLastLayerError or UnknownPartError with the reason where the model is
    of a kind that cannot be changed.
    """
    layer = find_last_layer(data)
    model = read_tree(data)
    graph = model.nodes(_SUBGRAPHS)[0]
    graph.fields[_OPERATORS] = list(_operators_before(graph, layer.embedding))
    _add_head(model, graph, layer, head)
    _add_metadata(model, metadata)
    return _write_rest(model)


def cut_head_out(data: bytes) -> bytes:
    """Given a model's bytes, return its last layer alone: a model that takes embeddings as the network gives them."""
    layer = find_last_layer(data)
    model = read_tree(data)
    graph = model.nodes(_SUBGRAPHS)[0]
    before = set(map(id, _operators_before(graph, layer.embedding)))
    graph.fields[_OPERATORS] = [one for one in graph.nodes(_OPERATORS) if id(one) not in before]
    graph.set_ints(_INPUTS, [layer.embedding])
    graph.set_ints(_OUTPUTS, graph.ints(_OUTPUTS)[:1])  # without the embedding that `expose_embedding` adds
    model.fields[_METADATA] = []
    return _write_rest(model)


def _operators_before(graph: Node, tensor: int) -> Sequence[Node]:
    """Return the operators that a tensor depends on, in the order in which they run."""
    needed, chosen = {tensor}, list[Node]()
    for operator in reversed(graph.nodes(_OPERATORS)):
        if needed.intersection(operator.ints(_MAKES)):
            needed.update(operator.ints(_TAKES))
            chosen.append(operator)
    return chosen[::-1]


def _add_head(model: Node, graph: Node, layer: LastLayer, head: Head) -> None:
    labels, width = head.weights.shape
    taken = layer.embedding
    if layer.dtype != "float32":
        shape = graph.nodes(_TENSORS)[layer.embedding].ints(_SHAPE)
        taken = _add_tensor(graph, "embedding", shape)
        _add_operator(model, graph, DEQUANTIZE, [layer.embedding], taken)
    weights = _add_tensor(graph, "weights", (labels, width), _add_buffer(model, head.weights.astype("<f4").tobytes()))
    bias = _add_tensor(graph, "bias", (labels,), _add_buffer(model, head.bias.astype("<f4").tobytes()))
    logits, scores = _add_tensor(graph, "logits", (1, labels)), _add_tensor(graph, "scores", (1, labels))
    layer_operator = _add_operator(model, graph, FULLY_CONNECTED, [taken, weights, bias], logits)
    _set_options(layer_operator, _FULLY_CONNECTED_OPTIONS, Node("FullyConnectedOptions"))
    softmax = _add_operator(model, graph, SOFTMAX, [logits], scores)
    _set_options(softmax, _SOFTMAX_OPTIONS, Node("SoftmaxOptions", {_BETA: struct.pack("<f", 1.0)}))
    graph.set_ints(_OUTPUTS, [scores])


def _add_tensor(graph: Node, name: str, shape: Sequence[int], buffer: int = 0) -> int:
    """Add a float32 tensor; return its number. Buffer 0 is empty by convention: the interpreter makes room."""
    tensor = Node("Tensor")
    tensor.set_ints(_SHAPE, shape)
    tensor.set_number(_BUFFER, buffer, 4)
    tensor.set_content(_NAME, f"dogid/{name}".encode())
    graph.nodes(_TENSORS).append(tensor)
    return len(graph.nodes(_TENSORS)) - 1


def _add_buffer(model: Node, content: bytes) -> int:
    buffer = Node("Buffer")
    buffer.set_content(0, content)
    model.nodes(_BUFFERS).append(buffer)
    return len(model.nodes(_BUFFERS)) - 1


def _add_operator(model: Node, graph: Node, kind: int, takes: Sequence[int], makes: int) -> Node:
    code = Node("OperatorCode")
    code.set_number(_OLD_CODE, kind, 1)
    code.set_number(_VERSION, _VERSIONS[kind], 4)
    code.set_number(_CODE, kind, 4)
    model.nodes(_OPERATOR_CODES).append(code)
    operator = Node("Operator")
    operator.set_number(_KIND, len(model.nodes(_OPERATOR_CODES)) - 1, 4)
    operator.set_ints(_TAKES, takes)
    operator.set_ints(_MAKES, [makes])
    graph.nodes(_OPERATORS).append(operator)
    return operator


def _set_options(operator: Node, number: int, options: Node) -> None:
    operator.set_number(_OPTIONS_TYPE, number, 1)
    operator.fields[_OPTIONS] = options


def _add_metadata(model: Node, content: bytes) -> None:
    entry = Node("Metadata")
    entry.set_content(_ENTRY_NAME, METADATA.encode())
    entry.set_number(_ENTRY_BUFFER, _add_buffer(model, content), 4)
    others = [one for one in model.nodes(_METADATA) if one.content(_ENTRY_NAME) != METADATA.encode()]
    model.fields[_METADATA] = [*others, entry]


def _write_rest(model: Node) -> bytes:
    """Return the model's bytes without what no operator needs any more."""
    model.fields.pop(_SIGNATURES, None)  # they name the old output
    model.fields.pop(_METADATA_BUFFERS, None)  # metadata of before they had names
    graphs = model.nodes(_SUBGRAPHS)
    _keep_tensors(graphs[0])
    operators = [operator for graph in graphs for operator in graph.nodes(_OPERATORS)]
    kinds = _renumber([(operator, _KIND) for operator in operators])
    model.fields[_OPERATOR_CODES] = [model.nodes(_OPERATOR_CODES)[at] for at in kinds]
    tensors = [(tensor, _BUFFER) for graph in graphs for tensor in graph.nodes(_TENSORS)]
    entries = [(entry, _ENTRY_BUFFER) for entry in model.nodes(_METADATA)]
    buffers = _renumber([*tensors, *entries], {0})
    model.fields[_BUFFERS] = [model.nodes(_BUFFERS)[at] for at in buffers]
    return write_tree(model)


def _keep_tensors(graph: Node) -> None:
    """Forget the tensors that are neither taken nor made."""
    lists = [(graph, _INPUTS), (graph, _OUTPUTS)]
    lists += [(operator, at) for operator in graph.nodes(_OPERATORS) for at in (_TAKES, _MAKES, _INTERMEDIATES)]
    used = sorted({tensor for node, at in lists for tensor in node.ints(at) if tensor >= 0})
    numbers = {old: new for new, old in enumerate(used)} | {_LEFT_OUT: _LEFT_OUT}
    for node, at in lists:
        if at in node.fields:
            node.set_ints(at, [numbers[tensor] for tensor in node.ints(at)])
    graph.fields[_TENSORS] = [graph.nodes(_TENSORS)[old] for old in used]


def _renumber(users: Sequence[tuple[Node, int]], always: Set[int] = frozenset()) -> list[int]:
    """Number what is used anew, without gaps; users are nodes and the field that has the number.

    Return the old numbers of what is kept, in order.
    """
    used = sorted({node.number(at) for node, at in users} | always)
    numbers = {old: new for new, old in enumerate(used)}
    for node, at in users:
        node.set_number(at, numbers[node.number(at)], 4)
    return used
