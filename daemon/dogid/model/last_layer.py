"""Finding a classifier's last layer: the fully connected layer, or 1x1 convolution, whose sums become the scores.

What it takes is the embedding: what the network before it has made of a photo. Source of the fields:
tensorflow/lite/schema/schema.fbs; their numbers are their order there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dogid.model.constants import operator_kinds
from dogid.model.flatbuffer import FlatbufferError, Table, root
from dogid.quantities import count_of

_SUBGRAPHS = 2  # Model
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3  # SubGraph
_SHAPE, _TYPE, _QUANTIZATION = 0, 1, 4  # Tensor
_KIND, _TAKES, _MAKES, _OPTIONS = 0, 1, 2, 4  # Operator

FULLY_CONNECTED, CONV_2D, DEQUANTIZE, SOFTMAX = 9, 3, 6, 25  # BuiltinOperator, as all below
_LOGISTIC, _LOG_SOFTMAX, _PAD = 14, 50, 60
_RESHAPES = frozenset({22, 43, 70})  # RESHAPE, SQUEEZE, EXPAND_DIMS
_BEHIND = frozenset({SOFTMAX, _LOGISTIC, _LOG_SOFTMAX, _PAD, DEQUANTIZE, 114}) | _RESHAPES  # QUANTIZE
_DTYPES = {0: "float32", 3: "uint8", 9: "int8"}  # TensorType, of the embeddings that are read
_NAMES = {0: "ADD", 2: "CONCATENATION", 18: "MUL", 40: "MEAN", 1: "AVERAGE_POOL_2D", 56: "ARG_MAX", 126: "BATCH_MATMUL"}


class NoLastLayerError(ValueError):
    """A model has no last layer that dogid can find or replace; the message is the reason."""


@dataclass(frozen=True, slots=True)
class LastLayer:
    """Where the last layer is, by numbers within the main subgraph, and what it takes."""

    operator: int
    """Among the operators."""
    behind: tuple[int, ...]
    """The operators between it and the scores, the last one first."""
    embedding: int
    """The tensor that it takes; where it takes dequantized numbers, the quantized tensor before."""
    weights: int
    """The tensor of its weights."""
    bias: int | None
    width: int
    """How many numbers an embedding has."""
    dtype: str
    """Of the embedding: int8, uint8 or float32."""
    scale: float
    """Of the embedding; 1 where it is not quantized."""
    zero_point: int
    beta: float
    """What a softmax behind multiplies the sums by."""
    is_single: bool
    """Whether one sum stands for two labels: it is the second one's, against 0 for the first."""


def find_last_layer(data: bytes) -> LastLayer:
    """Given a model's bytes, return where its last layer is; its embedding may be a second output.

    Raise NoLastLayerError with the reason where there is none of that kind, or the file is damaged.
    """
    try:
        model = root(data, b"TFL3")
        return _Graph(model, next(model.tables(_SUBGRAPHS))).find()
    except (FlatbufferError, StopIteration, IndexError) as error:
        raise NoLastLayerError(f"the model is damaged: {error or 'a part is missing'}") from error


class _Graph:
    """The main subgraph of a model."""

    def __init__(self, model: Table, graph: Table) -> None:
        self._kinds = operator_kinds(model)
        self._tensors = list(graph.tables(_TENSORS))
        self._operators = list(graph.tables(_OPERATORS))
        self._makers = {made: at for at, op in enumerate(self._operators) for made in op.numbers(_MAKES, "i")}
        self._inputs = graph.numbers(_INPUTS, "i")
        self._outputs = graph.numbers(_OUTPUTS, "i")

    def find(self) -> LastLayer:
        if not self._outputs:
            raise NoLastLayerError("the model has no output")
        behind = list(self._walk_back(self._outputs[0]))
        at = behind.pop()
        layer = self._read(at)
        if not {layer.embedding}.issuperset(self._outputs[1:]):  # which `expose_embedding` adds
            raise NoLastLayerError(f"the model has {count_of(len(self._outputs), 'output')}")
        kinds = {self._kind(number) for number in behind}
        softmax = next((number for number in behind if self._kind(number) == SOFTMAX), None)
        beta = 1.0 if softmax is None else _beta(self._operators[softmax])
        is_single = _PAD in kinds or (self._size(self._outputs[0]) == 1)
        if _LOGISTIC in kinds and not is_single:  # a learned layer is followed by a softmax: other answers
            raise NoLastLayerError("each label has a probability of its own (sigmoid), as several may fit one photo")
        return replace(layer, behind=tuple(behind), beta=beta, is_single=is_single)

    def _walk_back(self, tensor: int) -> Iterator[int]:
        """Yield the operators from the scores back to the layer, which is the last of them."""
        while True:
            at = self._makers.get(tensor)
            if at is None:
                raise NoLastLayerError("no layer before the scores is fully connected")
            yield at
            kind = self._kind(at)
            if kind in (FULLY_CONNECTED, CONV_2D):
                return
            if kind not in _BEHIND:
                name = _NAMES.get(kind, f"number {kind}")
                raise NoLastLayerError(
                    f"before the scores there is an operator {name}, and neither a fully connected layer nor a 1x1"
                    " convolution"
                )
            tensor = self._operators[at].numbers(_TAKES, "i")[0]

    def _read(self, at: int) -> LastLayer:
        operator = self._operators[at]
        taken, weights, *bias = operator.numbers(_TAKES, "i")
        options = operator.table(_OPTIONS)
        is_convolution = self._kind(at) == CONV_2D
        if options is not None and options.number(3 if is_convolution else 0, "b"):
            raise NoLastLayerError("the last layer's sums are cut off by an activation (ReLU)")
        if not is_convolution and options is not None and options.number(1, "b"):
            raise NoLastLayerError("the last layer's weights are shuffled")
        classes, *sides = self._shape(weights)
        width = math.prod(sides)
        if is_convolution and sides[:2] != [1, 1]:
            raise NoLastLayerError(f"the last layer is a {sides[0]}x{sides[1]} convolution, and not a 1x1 one")
        if self._size(taken) != width or self._size(operator.numbers(_MAKES, "i")[0]) != classes:
            raise NoLastLayerError("the last layer is applied to several places of an image, not to one embedding")
        embedding = self._before_dequantize(taken)
        if embedding in self._inputs or self._is_constant(embedding):
            raise NoLastLayerError("the last layer takes the pixels themselves")
        tensor = self._tensors[embedding]
        dtype = _DTYPES.get(tensor.number(_TYPE, "b"))
        if dtype is None:
            raise NoLastLayerError("the last layer takes numbers that are neither float32 nor int8")
        scale, zero_point = (1.0, 0) if dtype == "float32" else _levels(tensor)
        number = bias[0] if bias and bias[0] >= 0 else None
        return LastLayer(at, (), embedding, weights, number, width, dtype, scale, zero_point, 1.0, is_single=False)

    def _before_dequantize(self, taken: int) -> int:
        """Return the quantized tensor whose numbers a layer takes as floats; taken itself where there is none."""
        tensor = taken
        while (at := self._makers.get(tensor)) is not None:
            source = int(self._operators[at].numbers(_TAKES, "i")[0])
            if self._kind(at) == DEQUANTIZE:
                return source
            if self._kind(at) not in _RESHAPES:
                break
            tensor = source
        return taken

    def _kind(self, at: int) -> int:
        return self._kinds[self._operators[at].number(_KIND, "I")]

    def _shape(self, tensor: int) -> list[int]:
        return list(self._tensors[tensor].numbers(_SHAPE, "i"))

    def _size(self, tensor: int) -> int:
        return math.prod(self._shape(tensor))

    def _is_constant(self, tensor: int) -> bool:
        return tensor not in self._makers


def _beta(softmax: Table) -> float:
    options = softmax.table(_OPTIONS)
    return 1.0 if options is None else options.real(0)


def _levels(tensor: Table) -> tuple[float, int]:
    """Return (scale, zero point) of a quantized tensor."""
    table = tensor.table(_QUANTIZATION)
    scales = () if table is None else table.numbers(2, "f")
    zeros = () if table is None else table.numbers(3, "q")
    if len(scales) != 1 or not scales[0] > 0:
        raise NoLastLayerError("the numbers that the last layer takes have no single scale")
    return float(scales[0]), int(zeros[0]) if zeros else 0
