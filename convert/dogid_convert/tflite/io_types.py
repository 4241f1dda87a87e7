"""Changing the types of a `.tflite` model's input and output by an operator in front or behind."""

import copy
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from dogid_convert.tflite.flatbuffer_edit import Model, facts_of

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "uint8": schema.TensorType.UINT8,
    "int8": schema.TensorType.INT8,
}


@dataclass(frozen=True, slots=True)
class Levels:
    """Which value an integer stands for: scale * (integer - zero point)."""

    scale: float
    zero_point: int


def set_input_type(model: Model, dtype: str) -> None:
    """Make the model's one input uint8, int8 or float32."""
    graph = model.subgraphs[0]
    old = graph.inputs[0]
    facts = facts_of(model, old)
    if facts.dtype.lower() == dtype:
        return
    new = _tensor_like(graph, old, "pixels", dtype, _shifted(Levels(facts.scale, facts.zero_point), facts.dtype, dtype))
    graph.operators.insert(0, _quantize(model, new, old))
    graph.inputs = [new]
    model.signatureDefs = []  # they name the old one


def set_output_type(model: Model, dtype: str) -> None:
    """Make the model's one output, which holds probabilities, uint8, int8 or float32."""
    graph = model.subgraphs[0]
    old = graph.outputs[0]
    facts = facts_of(model, old)
    if facts.dtype.lower() == dtype:
        return
    levels = Levels(1 / 256, -128 if dtype == "int8" else 0)
    new = _tensor_like(graph, old, "scores", dtype, None if dtype == "float32" else levels)
    made = _dequantize(model, old, new) if dtype == "float32" else _quantize(model, old, new)
    graph.operators.append(made)
    graph.outputs = [new]
    model.signatureDefs = []


def _shifted(levels: Levels, old: str, new: str) -> Levels | None:
    """Return the same values' levels in the other integer type; none for float."""
    if new == "float32":
        return None
    return Levels(levels.scale, levels.zero_point + {("INT8", "uint8"): 128, ("UINT8", "int8"): -128}[old, new])


def _tensor_like(graph: Any, like: int, name: str, dtype: str, levels: Levels | None) -> int:
    tensor = copy.copy(graph.tensors[like])
    tensor.name = f"dogid/{name}".encode()
    tensor.type, tensor.buffer, tensor.quantization = _TYPES[dtype], 0, None
    if levels is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [levels.scale], [levels.zero_point]
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _quantize(model: Model, source: int, target: int) -> Any:
    return _operator(model, schema.BuiltinOperator.QUANTIZE, source, target)


def _dequantize(model: Model, source: int, target: int) -> Any:
    return _operator(model, schema.BuiltinOperator.DEQUANTIZE, source, target)


def _operator(model: Model, kind: int, source: int, target: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 2  # the one that knows of int8
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [source], [target]
    return operator
