"""A `.tflite` model of planar images [1, 3, height, width] takes the usual [1, height, width, 3]."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from dogid_convert.tflite.flatbuffer_edit import Model


def is_planar(shape: tuple[int, ...]) -> bool:
    """Whether an input of this shape takes planar images."""
    return len(shape) == 4 and shape[1] == 3 and shape[3] != 3


def put_colours_last(model: Model) -> None:
    """Put a transposition in front of a model whose only input is planar."""
    graph = model.subgraphs[0]
    (planar,) = graph.inputs
    _, _, height, width = graph.tensors[planar].shape
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array((0, 3, 1, 2), dtype="<i4").tobytes(), dtype=np.uint8)
    model.buffers.append(buffer)
    order, pixels = schema.TensorT(), schema.TensorT()
    order.name, order.type, order.shape = b"dogid/order", schema.TensorType.INT32, [4]
    order.buffer = len(model.buffers) - 1
    pixels.name, pixels.type = b"dogid/pixels", graph.tensors[planar].type
    pixels.shape, pixels.buffer = [1, height, width, 3], 0
    graph.tensors += [order, pixels]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [len(graph.tensors) - 1, len(graph.tensors) - 2], [planar]
    operator.builtinOptionsType, operator.builtinOptions = (
        schema.BuiltinOptions.TransposeOptions,
        schema.TransposeOptionsT(),
    )
    graph.operators = [operator, *graph.operators]
    graph.inputs = [len(graph.tensors) - 1]
    model.signatureDefs = []  # they name the old input
