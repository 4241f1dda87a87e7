"""Bringing a float `.tflite` model to the plain form: float32 weights, and probabilities for each label at its end."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from dogid_convert.tflite.flatbuffer_edit import Model, operator_name, tensor_name


def float16_to_float32(model: Model) -> None:
    """Replace float16 weights, which operators convert as the model runs, by float32 ones."""
    graph = model.subgraphs[0]
    kept = []
    for operator in graph.operators:
        if operator_name(model, operator) != "DEQUANTIZE":
            kept.append(operator)
            continue
        source = graph.tensors[operator.inputs[0]]
        if source.type != schema.TensorType.FLOAT16 or model.buffers[source.buffer].data is None:
            kept.append(operator)
            continue
        values = np.asarray(model.buffers[source.buffer].data, dtype=np.uint8).tobytes()
        _fill(model, graph.tensors[operator.outputs[0]], np.frombuffer(values, dtype="<f2").astype("<f4"))
    graph.operators = kept
    _drop_unused_codes(model)


def add_softmax(model: Model) -> None:
    """Put a softmax behind the output."""
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    graph = model.subgraphs[0]
    logits = graph.outputs[0]
    operator = _behind(model, schema.BuiltinOperator.SOFTMAX, [logits], "softmax", graph.tensors[logits].shape)
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.SoftmaxOptions, options


def split_in_two(model: Model) -> None:
    """Make of one value, a logit or its sigmoid, the logits 0 and x: their softmax is 1 - sigmoid(x) and sigmoid(x)."""
    graph = model.subgraphs[0]
    maker = next((op for op in graph.operators if graph.outputs[0] in op.outputs), None)
    if maker is not None and operator_name(model, maker) == "LOGISTIC":
        graph.outputs = [maker.inputs[0]]
        graph.operators = [op for op in graph.operators if op is not maker]
    value = graph.outputs[0]
    rank = len(graph.tensors[value].shape)
    paddings = schema.TensorT()
    paddings.name, paddings.type, paddings.shape = b"dogid/paddings", schema.TensorType.INT32, [rank, 2]
    _fill(model, paddings, np.array([[0, 0]] * (rank - 1) + [[1, 0]], dtype="<i4"))
    graph.tensors.append(paddings)
    _behind(model, schema.BuiltinOperator.PAD, [value, len(graph.tensors) - 1], "two", [1] * (rank - 1) + [2])


def _drop_unused_codes(model: Model) -> None:
    """Forget kinds of operators that no operator has: an interpreter refuses a model for one that it does not know."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    model.operatorCodes = [model.operatorCodes[i] for i in used]
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)


def _fill(model: Model, tensor: Any, values: Any) -> None:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), dtype=np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1


def _behind(model: Model, kind: int, inputs: list[int], name: str, shape: Any) -> Any:
    """Add an operator of float32 numbers whose result becomes the model's output; return it."""
    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    model.operatorCodes.append(code)
    tensor: Any = schema.TensorT()
    tensor.name = f"{tensor_name(model, inputs[0])}/{name}".encode()
    tensor.shape, tensor.type = shape, schema.TensorType.FLOAT32
    tensor.buffer = 0  # by convention the empty one: the interpreter makes room
    graph.tensors.append(tensor)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = inputs, [len(graph.tensors) - 1]
    graph.operators.append(operator)
    graph.outputs = [len(graph.tensors) - 1]
    model.signatureDefs = []  # they name the old output
    return operator
