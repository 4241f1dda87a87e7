"""Quantizing by ai-edge-quantizer, for models whose answers TensorFlow's own quantizer changes."""

import contextlib
import importlib.util
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from dogid.errors import DogidError
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.quantize.tflite_converter import IoTypes, check_pixels
from dogid_convert.support.quiet_tensorflow import suppress_stderr
from dogid_convert.tflite.flatbuffer_edit import Model, pack, tensor_name, unpack
from dogid_convert.tflite.io_types import set_input_type, set_output_type

NAME = "ai-edge-quantizer"
_SIGNATURE, _IMAGE = "serving_default", "image"

Ranges = dict[str, Any]


def is_installed() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("ai_edge_quantizer") is not None


class AiEdgeQuantizer:
    """A float model with the ranges of its tensors as this quantizer sees them."""

    def __init__(self, model: bytes, pixels: NDArray[np.uint8], normalisation: UniformNormalisation) -> None:
        """Calibrate with pixels [photos, height, width, 3]."""
        parsed = unpack(model)
        image = tensor_name(parsed, parsed.subgraphs[0].inputs[0])
        _set_signature(parsed)
        self._model, self._normalisation = pack(parsed), normalisation
        samples = [{_IMAGE: normalisation.apply(pixels[i : i + 1])} for i in range(len(pixels))]
        with _quiet():
            self._ranges: Ranges = self._quantizer(()).calibrate({_SIGNATURE: samples}, num_threads=1)
        low, high = normalisation.apply(np.array([0, 255], dtype=np.uint8))
        # of all pixels, so that a pixel is its own quantized value
        for bound, value in (("min", low), ("max", high)):
            known = self._ranges[image][bound]
            self._ranges[image][bound] = np.full_like(known, value)

    def quantize(self, float_layers: Sequence[str], interface: IoTypes) -> bytes:
        """Return an int8 model; float_layers names the output tensors of layers to leave in float.

        Raise DogidError where the package cannot quantize the model.
        """
        try:
            with _quiet():
                made = self._quantizer(float_layers).quantize(self._ranges)
            model = unpack(bytes(made.quantized_model))
        except Exception as error:  # the package's errors have no common base class
            raise DogidError(f"{NAME} cannot quantize the model: {error}") from error
        set_input_type(model, interface.input)
        set_output_type(model, interface.output)
        check_pixels(model, self._normalisation)
        return pack(model)

    def _quantizer(self, float_layers: Sequence[str]) -> Any:
        from ai_edge_quantizer import qtyping, quantizer, recipe

        made = quantizer.Quantizer(bytearray(self._model), recipe.static_wi8_ai8())
        for name in float_layers:
            # the quantizer knows an operator by the names of its outputs, each with a semicolon behind
            made.update_quantization_recipe(
                f"^{re.escape(name)};?$", qtyping.TFLOperationName.ALL_SUPPORTED, algorithm_key="no_quantize"
            )
        return made


@contextlib.contextmanager
def _quiet() -> Any:
    with suppress_stderr(), contextlib.redirect_stdout(io.StringIO()):
        yield


def _set_signature(model: Model) -> None:
    """Give the model one signature of known names, which the quantizer wants."""
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = _SIGNATURE.encode(), 0
    signature.inputs = [_named(_IMAGE, graph.inputs[0])]
    signature.outputs = [_named("scores", graph.outputs[0])]
    model.signatureDefs = [signature]


def _named(name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), tensor
    return entry
