"""From a float TensorFlow Lite model to int8 ones, by the parts of TensorFlow's own converter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# The parts that TFLiteConverter itself is made of. Used one by one they calibrate once for several tries, and can leave
# single layers in float, which the converter's own interface cannot.
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.optimize.calibrator import Calibrator

from dogid.errors import DogidError
from dogid_convert.graph.check_operators import explain_failure
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.support.quiet_tensorflow import suppress_stderr
from dogid_convert.tflite.flatbuffer_edit import Model, facts_of, operator_name, tensor_name, unpack

_SMALL_HEAD = 65_536
"""Weights up to which the last layer stays in float: at most 0.2 MB more, and no measurable time."""


@dataclass(frozen=True, slots=True)
class IoTypes:
    """Types of an int8 model's input and output: uint8, int8 or float32."""

    input: str = "uint8"
    """Pixels as they are; int8: pixels less 128; float32: normalised pixels."""
    output: str = "float32"
    """Probabilities; uint8 and int8: in steps of 1/256."""

    @property
    def whole(self) -> bool:
        """Whether the answer is quantized: then all layers are, if possible."""
        return self.output != "float32"


DEFAULT_IO_TYPES = IoTypes()
"""Pixels in, exact probabilities out: the fastest for the daemon."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A float model with the ranges of its tensors, from which int8 models are made."""

    model: bytes
    head: tuple[str, ...]
    """Output tensors of the layers that stay in float: the last matrix product where it is small, and the softmax."""
    layers: tuple[str, ...]
    """Output tensors of all layers with weights, in order."""


def calibrate(model: bytes, pixels: NDArray[np.uint8], normalisation: UniformNormalisation) -> Calibrated:
    """Run a float model on pixels [photos, height, width, 3] and note the range of every tensor."""
    with suppress_stderr():
        calibrated = bytes(Calibrator(model).calibrate(lambda: _samples(pixels, normalisation)))
    parsed = unpack(calibrated)
    return Calibrated(calibrated, _head(parsed), _layer_outputs(parsed))


def quantize(
    calibrated: Calibrated,
    normalisation: UniformNormalisation,
    float_layers: Sequence[str] = (),
    interface: IoTypes = DEFAULT_IO_TYPES,
    *,
    float_head: bool = True,
) -> bytes:
    """Return an int8 model, by channel, with the wanted interface.

    With float_head the last layer and the softmax stay in float: an int8 softmax gives probabilities in steps of 1/256
    that need not sum to one. float_layers names the output tensors of further layers to leave in float.
    Raise DogidError where pixels cannot go in as they are.
    """
    with suppress_stderr():
        try:
            model = bytes(
                mlir_quantize(
                    calibrated.model,
                    input_data_type=getattr(tf, interface.input),
                    output_data_type=getattr(tf, interface.output),
                    denylisted_nodes=[*(calibrated.head if float_head else ()), *float_layers],
                )
            )
        except Exception as error:  # the converter's errors have no public base class
            raise DogidError(f"the graph cannot be quantized: {explain_failure(error)}") from error
    check_pixels(unpack(model), normalisation)
    return model


def _layer_outputs(model: Model) -> tuple[str, ...]:
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    operators = model.subgraphs[0].operators
    return tuple(tensor_name(model, op.outputs[0]) for op in operators if operator_name(model, op) in kinds)


def _samples(pixels: NDArray[np.uint8], normalisation: UniformNormalisation) -> Iterator[list[NDArray[np.float32]]]:
    for i in range(len(pixels)):
        sample = pixels[i : i + 1].copy()
        if i == 0:
            # the input's range becomes that of all pixels, so that a pixel is its own quantized value
            sample[0, 0, 0], sample[0, -1, -1] = 0, 255
        yield [normalisation.apply(sample)]


def check_pixels(model: Model, normalisation: UniformNormalisation) -> None:
    """Raise DogidError unless quantized input q stands for (q - mean) / std, or for int8 (q + 128 - mean) / std.

    A zero point is an integer: a mean of 127.5 shifts pixels by half a level, which no photo shows.
    """
    facts = facts_of(model, model.subgraphs[0].inputs[0])
    if facts.dtype == "FLOAT32":
        return
    scale, mean = 1 / normalisation.std, normalisation.mean - (128 if facts.dtype == "INT8" else 0)
    if abs(facts.scale / scale - 1) >= 1e-5 or abs(facts.zero_point - mean) > 0.501:
        raise DogidError(
            f"pixels would not go into the int8 model as they are: (pixel - {normalisation.mean:g}) / "
            f"{normalisation.std:g} became {facts.dtype} with scale {facts.scale:g} and zero point {facts.zero_point}; "
            "try --dtype float32"
        )


def _head(model: Model) -> tuple[str, ...]:
    """Walk back from the output over softmax and reshapes to the last matrix product."""
    graph = model.subgraphs[0]
    makers = {index: operator for operator in graph.operators for index in operator.outputs}
    names: list[str] = []
    index = graph.outputs[0]
    while index in makers:
        operator = makers[index]
        kind = operator_name(model, operator)
        if kind in ("FULLY_CONNECTED", "CONV_2D"):
            weights = int(np.prod(graph.tensors[operator.inputs[1]].shape))
            return (*names, tensor_name(model, index)) if weights <= _SMALL_HEAD else tuple(names)
        if kind not in ("SOFTMAX", "LOGISTIC", "RESHAPE", "SQUEEZE", "PAD"):
            return tuple(names)
        names.append(tensor_name(model, index))
        index = operator.inputs[0]
    return tuple(names)
