"""Correcting the shift that rounded weights cause in the mean of a layer's outputs.

A rounded weight is wrong by a fixed amount, so that a layer's outputs are off by the sum of those amounts times the
mean of its inputs: a constant, which its bias can take back. Source: Nagel et al. 2019, "Data-Free Quantization
Through Weight Equalization and Bias Correction", 4.2, here with means measured on the calibration photos.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.support.quiet_tensorflow import suppress_stderr
from dogid_convert.tflite.flatbuffer_edit import Model, operator_name, pack, tensor_name, tensor_values, unpack

_PHOTOS = 50  # the means are then known to a percent; raising it takes longer

Means = dict[str, NDArray[np.float32]]


class BiasCorrector:
    """A float model and the means of its layers' inputs, for correcting the int8 models made of it."""

    def __init__(self, float_model: bytes, pixels: NDArray[np.uint8], normalisation: UniformNormalisation) -> None:
        """Measure the means with some of the calibration pixels [photos, height, width, 3]."""
        self._means = _channel_means(float_model, pixels, normalisation)
        self._float = unpack(float_model)
        operators = self._float.subgraphs[0].operators
        self._layers = {tensor_name(self._float, operator.outputs[0]): operator for operator in operators}

    def correct(self, model: bytes) -> bytes:
        """Return the int8 model with the biases of its layers corrected; layers left in float stay as they are."""
        quantized = unpack(model)
        for operator in quantized.subgraphs[0].operators:
            layer = self._layers.get(tensor_name(quantized, operator.outputs[0]))
            if layer is not None and _is_int8_layer(quantized, operator):
                means = self._means.get(tensor_name(self._float, layer.inputs[0]))
                if means is not None:
                    _correct(quantized, operator, tensor_values(self._float, layer.inputs[1]), means)
        return pack(quantized)


def _channel_means(model: bytes, pixels: NDArray[np.uint8], normalisation: UniformNormalisation) -> Means:
    """Run a float model on some of the pixels; return the mean of each channel of each tensor, by the tensor's name."""
    with suppress_stderr():
        interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=True)
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    wanted = [d for d in interpreter.get_tensor_details() if len(d["shape"]) in (2, 4) and d["dtype"] == np.float32]
    sums: dict[str, NDArray[np.float64]] = {}
    count = min(_PHOTOS, len(pixels))
    for i in range(count):
        interpreter.set_tensor(source, normalisation.apply(pixels[i : i + 1]))
        interpreter.invoke()
        for details in wanted:
            values = _value(interpreter, details["index"])
            if values is not None:
                mean = values.reshape(-1, values.shape[-1]).mean(axis=0, dtype=np.float64)
                sums[details["name"]] = sums.get(details["name"], 0) + mean
    return {name: (total / count).astype(np.float32) for name, total in sums.items()}


def _is_int8_layer(model: Model, operator: Any) -> bool:
    if operator_name(model, operator) not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        return False
    tensors = model.subgraphs[0].tensors
    weights, has_bias = tensors[operator.inputs[1]], len(operator.inputs) > 2 and operator.inputs[2] >= 0
    return bool(weights.type == schema.TensorType.INT8 and has_bias)


def _correct(model: Model, operator: Any, exact: NDArray[Any], means: NDArray[np.float32]) -> None:
    tensors = model.subgraphs[0].tensors
    weights, bias = tensors[operator.inputs[1]], tensors[operator.inputs[2]]
    scales = np.asarray(weights.quantization.scale, dtype=np.float32)
    shape = [1] * len(weights.shape)
    shape[weights.quantization.quantizedDimension] = -1
    wrong = tensor_values(model, operator.inputs[1]).astype(np.float32) * scales.reshape(shape) - exact
    # weights are [out, height, width, in], [1, height, width, channels] or [out, in]
    if operator_name(model, operator) == "DEPTHWISE_CONV_2D":
        repeats = wrong.shape[-1] // len(means)
        shift = wrong.sum(axis=(0, 1, 2)) * np.repeat(means, repeats)
    elif wrong.shape[-1] == len(means):
        shift = (wrong * means).reshape(len(wrong), -1).sum(axis=1)
    else:
        return  # a matrix product over more than channels: its inputs were reshaped
    steps = np.round(shift / np.asarray(bias.quantization.scale, dtype=np.float32))
    changed = tensor_values(model, operator.inputs[2]).astype(np.int64) - steps.astype(np.int64)
    limits = np.iinfo(np.int32)
    content = changed.clip(limits.min, limits.max).astype("<i4").tobytes()
    model.buffers[bias.buffer].data = np.frombuffer(content, dtype=np.uint8)


def _value(interpreter: Interpreter, index: int) -> NDArray[np.float32] | None:
    try:
        value: NDArray[np.float32] = interpreter.get_tensor(index)
    except ValueError:  # a tensor that a kernel keeps to itself
        return None
    return value
