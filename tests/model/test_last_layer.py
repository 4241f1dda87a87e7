"""Why a model's last layer cannot be learned anew, layer by layer; each model is made by hand of three operators."""

from collections.abc import Callable

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from dogid.model.last_layer import NoLastLayerError, find_last_layer

_IMAGE, _EMBEDDING, _WEIGHTS, _BIAS, _SUMS, _SCORES = range(6)
_MEAN, _LAYER, _SOFTMAX = range(3)
_FLOAT32, _INT32, _INT8 = 0, 2, 9
Change = Callable[[schema.ModelT], None]


def _tensor(*shape: int, kind: int = _FLOAT32) -> schema.TensorT:
    made = schema.TensorT()
    made.shape, made.type, made.buffer = list(shape), kind, 0
    return made


def _operator(model: schema.ModelT, kind: int, takes: list[int], makes: int) -> schema.OperatorT:
    code, made = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode, code.deprecatedBuiltinCode = kind, min(kind, 127)
    model.operatorCodes.append(code)
    made.opcodeIndex, made.inputs, made.outputs = len(model.operatorCodes) - 1, takes, [makes]
    return made


def _classifier() -> schema.ModelT:
    """A photo's mean, two sums of its three numbers, and their softmax."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [], [graph], [schema.BufferT()]
    shapes = ((1, 4, 4, 3), (1, 3), (2, 3), (2,), (1, 2), (1, 2))
    graph.tensors = [_tensor(*shape) for shape in shapes]
    graph.inputs, graph.outputs = [_IMAGE], [_SCORES]
    layer = _operator(model, schema.BuiltinOperator.FULLY_CONNECTED, [_EMBEDDING, _WEIGHTS, _BIAS], _SUMS)
    layer.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    layer.builtinOptions = schema.FullyConnectedOptionsT()
    mean = _operator(model, schema.BuiltinOperator.MEAN, [_IMAGE], _EMBEDDING)
    graph.operators = [mean, layer, _operator(model, schema.BuiltinOperator.SOFTMAX, [_SUMS], _SCORES)]
    return model


def _packed(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _no_output(model: schema.ModelT) -> None:
    model.subgraphs[0].outputs = []


def _two_outputs(model: schema.ModelT) -> None:
    model.subgraphs[0].outputs = [_SCORES, _SUMS]


def _no_layer(model: schema.ModelT) -> None:
    model.subgraphs[0].operators.pop(_LAYER)


def _relu(model: schema.ModelT) -> None:
    model.subgraphs[0].operators[_LAYER].builtinOptions.fusedActivationFunction = 1


def _shuffled(model: schema.ModelT) -> None:
    model.subgraphs[0].operators[_LAYER].builtinOptions.weightsFormat = 1


def _convolution(model: schema.ModelT, side: int) -> None:
    graph = model.subgraphs[0]
    layer = _operator(model, schema.BuiltinOperator.CONV_2D, [_EMBEDDING, _WEIGHTS, _BIAS], _SUMS)
    graph.operators[_LAYER] = layer
    graph.tensors[_WEIGHTS] = _tensor(2, side, side, 3)


def _wide_convolution(model: schema.ModelT) -> None:
    _convolution(model, 3)


def _several_places(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[_EMBEDDING] = _tensor(4, 3)


def _pixels(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[_IMAGE] = _tensor(1, 3)
    model.subgraphs[0].operators[_LAYER].inputs[0] = _IMAGE


def _integers(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[_EMBEDDING] = _tensor(1, 3, kind=_INT32)


def _no_scale(model: schema.ModelT) -> None:
    model.subgraphs[0].tensors[_EMBEDDING] = _tensor(1, 3, kind=_INT8)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_no_output, "the model has no output"),
        (_two_outputs, "the model has 2 outputs"),
        (_no_layer, "no layer before the scores is fully connected"),
        (_relu, "cut off by an activation"),
        (_shuffled, "weights are shuffled"),
        (_wide_convolution, "is a 3x3 convolution, and not a 1x1 one"),
        (_several_places, "applied to several places of an image"),
        (_pixels, "takes the pixels themselves"),
        (_integers, "neither float32 nor int8"),
        (_no_scale, "have no single scale"),
    ],
)
def test_layer_that_cannot_be_learned_is_explained(change: Change, reason: str) -> None:
    model = _classifier()
    change(model)

    with pytest.raises(NoLastLayerError, match=reason):
        find_last_layer(_packed(model))


def test_plain_layers_are_found() -> None:
    model = _classifier()
    layer = find_last_layer(_packed(model))
    assert (layer.operator, layer.embedding, layer.weights, layer.bias) == (_LAYER, _EMBEDDING, _WEIGHTS, _BIAS)
    assert (layer.width, layer.dtype, layer.scale, layer.is_single) == (3, "float32", 1.0, False)
    _convolution(model, 1)
    assert find_last_layer(_packed(model)).width == 3


def test_quantized_embedding_is_found_behind_a_reshape() -> None:
    model = _classifier()
    graph = model.subgraphs[0]
    quantized, flat = len(graph.tensors), len(graph.tensors) + 1
    stored = _tensor(1, 1, 1, 3, kind=_INT8)
    stored.quantization = schema.QuantizationParametersT()
    stored.quantization.scale, stored.quantization.zeroPoint = [0.5], [-7]
    graph.tensors += [stored, _tensor(1, 1, 1, 3)]
    graph.operators[_MEAN].outputs = [quantized]
    graph.operators += [
        _operator(model, schema.BuiltinOperator.DEQUANTIZE, [quantized], flat),
        _operator(model, schema.BuiltinOperator.RESHAPE, [flat], _EMBEDDING),
    ]

    layer = find_last_layer(_packed(model))

    assert (layer.embedding, layer.dtype, layer.scale, layer.zero_point) == (quantized, "int8", 0.5, -7)
