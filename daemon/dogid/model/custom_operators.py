"""Operators that no plain interpreter has: for an Edge TPU, TensorFlow's own ones (Flex), and the author's.

Source of the fields: tensorflow/lite/schema/schema.fbs.
"""

from dogid.model.flatbuffer import FlatbufferError, root

_OPERATOR_CODES = 1  # Model
_CUSTOM_CODE = 1  # OperatorCode
_EDGE_TPU = "edgetpu-custom-op"
_FLEX = "Flex"
_BUILT_IN = frozenset({"TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify"})
"""Custom operators that TensorFlow Lite's interpreters bring."""

_SHOWN = 3


def explain_custom_operators(data: bytes) -> str | None:
    """Given a model's bytes, return why no plain interpreter runs it, with the way out; None where one may."""
    try:
        codes = [code.text(_CUSTOM_CODE) for code in root(data, b"TFL3").tables(_OPERATOR_CODES)]
    except (FlatbufferError, IndexError):
        return None  # the interpreter reports it
    custom = [code for code in codes if code and code not in _BUILT_IN]
    if not custom:
        return None
    if _EDGE_TPU in custom:
        return (
            "the model is compiled for a Coral Edge TPU, which dogid does not use: take the same model's file without "
            "_edgetpu in its name"
        )
    names = ", ".join(custom[:_SHOWN]) + (", ..." if len(custom) > _SHOWN else "")
    if any(code.startswith(_FLEX) for code in custom):
        return (
            f"the model needs TensorFlow's own operators ({names}), which no TensorFlow Lite interpreter has: export "
            "it again without SELECT_TF_OPS"
        )
    return (
        f"the model has operators of its author's own ({names}), which no TensorFlow Lite interpreter has: export it "
        "again with built-in operators only"
    )
