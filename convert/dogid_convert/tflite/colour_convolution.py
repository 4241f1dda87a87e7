"""A convolution of 1 x 1 pixels in front of a `.tflite` model: see `dogid_convert.graph.colour_convolution`."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from dogid_convert.graph.colour_convolution import ColourConvolution
from dogid_convert.tflite.flatbuffer_edit import Model


def put_convolution_first(model: Model, convolution: ColourConvolution) -> None:
    """Put the convolution in front of a float model whose only input is [1, height, width, 3]."""
    graph = model.subgraphs[0]
    (network,) = graph.inputs
    pixels = schema.TensorT()
    pixels.name, pixels.type, pixels.buffer = b"dogid/pixels", schema.TensorType.FLOAT32, 0
    pixels.shape = graph.tensors[network].shape
    graph.tensors.append(pixels)
    source = len(graph.tensors) - 1
    weights = _add_constant(model, "dogid/weights", convolution.weights.T[:, np.newaxis, np.newaxis])
    bias = _add_constant(model, "dogid/bias", convolution.bias)
    options = schema.Conv2DOptionsT()
    options.padding, options.strideW, options.strideH = schema.Padding.VALID, 1, 1
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [source, weights, bias], [network]
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    graph.operators = [operator, *graph.operators]
    graph.inputs = [source]
    model.signatureDefs = []  # they name the old input


def _add_constant(model: Model, name: str, values: NDArray[Any]) -> int:
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values, "<f4").tobytes(), dtype=np.uint8)
    model.buffers.append(buffer)
    tensor.name, tensor.type, tensor.shape = name.encode(), schema.TensorType.FLOAT32, list(values.shape)
    tensor.buffer = len(model.buffers) - 1
    graph = model.subgraphs[0]
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
