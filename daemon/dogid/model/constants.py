"""The constant tensors of a model's main subgraph as numbers, whatever they are stored as.

Source of the fields: tensorflow/lite/schema/schema.fbs; their numbers are their order there.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.model.flatbuffer import Table

_OPERATOR_CODES, _BUFFERS = 1, 4  # Model
_TENSORS, _OPERATORS = 0, 3  # SubGraph
_SHAPE, _TYPE, _BUFFER, _QUANTIZATION = 0, 1, 2, 4  # Tensor
_SCALES, _ZERO_POINTS, _QUANTIZED_AXIS = 2, 3, 6  # QuantizationParameters
_DTYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 9: "i1"}  # TensorType
_QUANTIZED = frozenset({2, 3, 9})  # of these, INT32, UINT8, INT8
_DEQUANTIZE = 6


def operator_kinds(model: Table) -> list[int]:
    """Return the number of each operator code's BuiltinOperator."""
    # the first field was a byte, and too small
    return [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(_OPERATOR_CODES)]


class Constants:
    """The constants of one model."""

    def __init__(self, model: Table, graph: Table) -> None:
        self._data = model.data
        self._kinds = operator_kinds(model)
        self._buffers = list(model.tables(_BUFFERS))
        self._tensors = list(graph.tables(_TENSORS))
        self._makers = {made: op for op in graph.tables(_OPERATORS) for made in op.numbers(2, "i")}

    def read(self, index: int, most_bytes: int) -> NDArray[np.float64] | None:
        """Return a tensor's numbers in its shape, of quantized and of float16 ones as float, too.

        None where it is not constant, of another type, or larger than most_bytes.
        """
        maker = self._makers.get(index)
        if maker is not None:
            is_converted = self._kinds[maker.number(0, "I")] == _DEQUANTIZE
            return self.read(maker.numbers(1, "i")[0], most_bytes) if is_converted else None
        tensor = self._tensors[index]
        kind = tensor.number(_TYPE, "b")
        content = self._content(tensor.number(_BUFFER, "I"))
        if kind not in _DTYPES or not content or len(content) > most_bytes:
            return None
        values: NDArray[Any] = np.frombuffer(content, dtype=_DTYPES[kind]).astype(np.float64)
        values = values.reshape(tensor.numbers(_SHAPE, "i") or (-1,))
        return _dequantize(values, tensor.table(_QUANTIZATION)) if kind in _QUANTIZED else values

    def _content(self, number: int) -> bytes:
        buffer = self._buffers[number]
        # models above 2 GB keep their buffers behind the flatbuffer
        offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
        return self._data[offset : offset + size] if offset > 1 else buffer.content(0)


def _dequantize(values: NDArray[np.float64], quantization: Table | None) -> NDArray[np.float64] | None:
    scales = () if quantization is None else quantization.numbers(_SCALES, "f")
    if quantization is None or not scales:
        return None
    shape = [1] * values.ndim
    shape[quantization.number(_QUANTIZED_AXIS, "i") if len(scales) > 1 else 0] = len(scales)
    zeros = np.reshape(quantization.numbers(_ZERO_POINTS, "q") or (0,) * len(scales), shape)
    scaled: NDArray[np.float64] = (values - zeros) * np.reshape(scales, shape)
    return scaled
