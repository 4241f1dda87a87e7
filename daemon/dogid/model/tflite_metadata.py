"""Reading a `.tflite` file's description of itself: last operator, classes, normalisation, labels.

Sources: tensorflow/lite/schema/schema.fbs, and metadata_schema.fbs of TensorFlow Lite Metadata. The numbers of fields
are their order there.
"""

import math
from dataclasses import dataclass
from enum import Enum

from dogid.model.flatbuffer import FlatbufferError, Table, root
from dogid.preprocessing import Normalisation

METADATA = "TFLITE_METADATA"
"""The entry of the model's own metadata that holds the standard metadata."""

_OPERATOR_CODES, _SUBGRAPHS, _BUFFERS, _METADATA = 1, 2, 4, 6  # Model
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3  # SubGraph
_NORMALIZATION = 1  # ProcessUnitOptions
_AXIS_LABELS = 2  # AssociatedFileType

_SOFTMAX, _LOGISTIC = 25, 14  # BuiltinOperator, as all below
_JOINS = frozenset({2, 83})  # CONCATENATION, PACK
# DEQUANTIZE, RESHAPE, TRANSPOSE, SQUEEZE, STRIDED_SLICE, CAST, SLICE, EXPAND_DIMS, QUANTIZE
_SAME_VALUES = frozenset({6, 22, 39, 43, 45, 53, 65, 70, 114})
_SUMS = frozenset({3, 4, 9, 50, 126})  # CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, LOG_SOFTMAX, BATCH_MATMUL
_DEEPEST = 50


class OutputKind(Enum):
    """What a model's output comes out of."""

    PROBABILITIES = "softmax or sigmoid"
    LOGITS = "a layer's sums"
    UNKNOWN = "another operator"


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a file says of itself; empty where it says nothing."""

    output_kind: OutputKind = OutputKind.UNKNOWN
    classes: int = 0
    """Number of outputs; 0 where there are several output tensors."""
    normalisation: Normalisation | None = None
    input_shape: tuple[int, ...] = ()
    labels_file: str = ""
    """The name of the labels in the appended zip."""
    damage: str = ""
    """Why the file could not be read to its end."""


def read_metadata(data: bytes) -> ModelMetadata:
    """Given a model's bytes, return what they say of themselves; of damaged ones, why they cannot be read."""
    try:
        model = root(data, b"TFL3")
        graph = next(model.tables(_SUBGRAPHS))
        outputs, tensors = graph.numbers(_OUTPUTS, "i"), list(graph.tables(_TENSORS))
        shape = tensors[graph.numbers(_INPUTS, "i")[0]].numbers(0, "i")
        classes = math.prod(tensors[outputs[0]].numbers(0, "i")) if len(outputs) == 1 else 0
        output_kind = _Operators(model, graph).output_kind(outputs[0]) if len(outputs) == 1 else OutputKind.UNKNOWN
    except (FlatbufferError, StopIteration, IndexError) as error:
        return ModelMetadata(damage=str(error) or "a part is missing")
    try:
        metadata = _metadata(data, model)
        normalisation = _normalisation(metadata) if metadata else None
        labels = _labels_file(metadata) if metadata else ""
    except (FlatbufferError, StopIteration, IndexError) as error:
        return ModelMetadata(output_kind, classes, None, shape, damage=f"metadata: {str(error) or 'a part is missing'}")
    return ModelMetadata(output_kind, classes, normalisation, shape, labels)


class _Operators:
    """The operators of a graph by what they make."""

    def __init__(self, model: Table, graph: Table) -> None:
        self._kinds = [_kind(code) for code in model.tables(_OPERATOR_CODES)]
        self._makers = {made: op for op in graph.tables(_OPERATORS) for made in op.numbers(2, "i")}

    def kind(self, operator: Table) -> int:
        return self._kinds[operator.number(0, "I")]

    def output_kind(self, tensor: int, depth: int = 0) -> OutputKind:
        """Walk back from a tensor over operators that change no value."""
        maker = self._makers.get(tensor)
        if maker is None or depth > _DEEPEST:
            return OutputKind.UNKNOWN
        kind = self.kind(maker)
        if kind in (_SOFTMAX, _LOGISTIC):
            return OutputKind.PROBABILITIES
        if kind in _SUMS:
            return OutputKind.LOGITS
        if kind in _SAME_VALUES:
            return self.output_kind(maker.numbers(1, "i")[0], depth + 1)
        if kind in _JOINS:
            parts = {self.output_kind(part, depth + 10) for part in maker.numbers(1, "i")}
            return parts.pop() if len(parts) == 1 else OutputKind.UNKNOWN
        return OutputKind.UNKNOWN


def _kind(code: Table) -> int:
    # the first field was a byte, and too small
    return max(code.number(0, "b"), code.number(3, "i"))


def _metadata(data: bytes, model: Table) -> Table | None:
    for entry in model.tables(_METADATA):
        if entry.text(0) == METADATA:
            buffer = list(model.tables(_BUFFERS))[entry.number(1, "I")]
            # models above 2 GB keep their buffers behind the flatbuffer
            offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
            content = data[offset : offset + size] if offset > 1 else buffer.content(0)
            return next(root(content, b"M001").tables(3), None)
    return None


def _normalisation(subgraph: Table) -> Normalisation | None:
    image = next(subgraph.tables(2))
    for unit in image.tables(4):
        options = unit.table(1)
        if unit.number(0, "B") != _NORMALIZATION or options is None:
            continue
        mean, std = options.numbers(0, "f"), options.numbers(1, "f")
        fits = len(mean) in (1, 3) and len(std) in (1, 3)
        if fits and all(map(math.isfinite, mean + std)) and min(std) > 0:
            return Normalisation(mean, std)
    return None


def _labels_file(subgraph: Table) -> str:
    scores = next(subgraph.tables(3))
    files = [file for file in scores.tables(6) if file.number(2, "b") == _AXIS_LABELS]
    files.sort(key=lambda file: file.text(3))  # those of no language first
    return files[0].text(0) if files else ""
