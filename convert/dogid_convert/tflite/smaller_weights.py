"""Storing the weights of a float `.tflite` model in fewer bits, without photos."""

import contextlib
import io

from dogid.errors import DogidError
from dogid_convert.support.quiet_tensorflow import suppress_stderr

_FLOAT16_RECIPE = [
    {
        "regex": ".*",
        "operation": kind,
        "algorithm_key": "float_casting",
        "op_config": {
            "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
        },
    }
    for kind in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")
]


def shrink_weights(model: bytes, dtype: str) -> bytes:
    """Return a float32 model as a float16 or dynamic one. Raise DogidError where the package for it is missing."""
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ImportError as error:
        raise DogidError(
            f"a .tflite model becomes {dtype} by ai-edge-quantizer, which is not installed; try: pip install "
            "ai-edge-quantizer, or --dtype int8"
        ) from error
    with suppress_stderr(), contextlib.redirect_stdout(io.StringIO()):
        work = quantizer.Quantizer(bytearray(model))
        work.load_quantization_recipe(recipe.dynamic_wi8_afp32() if dtype == "dynamic" else _FLOAT16_RECIPE)
        return bytes(work.quantize().quantized_model)
