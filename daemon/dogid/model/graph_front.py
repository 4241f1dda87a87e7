"""Deriving a float model's normalisation from the operators at its beginning.

Many networks scale pixels themselves: by operators behind their input, by the scale of a QUANTIZE, or by a factor that
the converter has multiplied into the weights of the first layer. Each of them shows the range that the network expects.

Sources: tensorflow/lite/schema/schema.fbs; the numbers of fields are their order there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.model.constants import Constants, operator_kinds
from dogid.model.flatbuffer import FlatbufferError, Table, root
from dogid.preprocessing import (
    BGR,
    CAFFE,
    IMAGENET,
    MINUS_1_TO_1,
    ZERO_TO_1,
    ZERO_TO_255,
    KnownNormalisation,
    Normalisation,
    Origin,
)

_SUBGRAPHS = 2  # Model
_TENSORS, _INPUTS, _OPERATORS = 0, 1, 3  # SubGraph
_TYPE, _QUANTIZATION = 1, 4  # Tensor
_SCALES, _ZERO_POINTS = 2, 3  # QuantizationParameters
_FLOAT32, _UINT8, _INT8 = 0, 3, 9  # TensorType

ADD, MUL, SUB, DIV = 0, 18, 41, 42  # BuiltinOperator, as all below
_QUANTIZE = 114
_CONV_2D, _CONCATENATION, _SHAPE = 3, 2, 77
# PAD, STRIDED_SLICE, SPLIT, UNPACK, REVERSE_V2, GATHER, SPLIT_V, SLICE, MIRROR_PAD, PADV2, TRANSPOSE: places change
_MOVES = frozenset({34, 45, 49, 88, 105, 36, 102, 65, 100, 60, 39})
# RESHAPE, RESIZE_BILINEAR, SQUEEZE, CAST, EXPAND_DIMS, RESIZE_NEAREST_NEIGHBOR: values stay in their range
_KEEPS = frozenset({22, 23, 43, 53, 70, 97})

_LARGEST_CONSTANT = 4 << 20  # bytes; the first layer's weights are far smaller
_SMALL_WEIGHTS = 0.1
"""Root mean square, over a first convolution's filters, of their Euclidean norm. Initial weights have 0.3 (Glorot) to
1.4 (He), trained ones more; multiplied by 1/255 or 1/127.5 they have at most 0.04. Raising it may take a network of
small weights for one that takes pixels 0..255, lowering it may miss networks whose filters are strong."""


def derive_normalisation(data: bytes) -> KnownNormalisation | None:
    """Given a model's bytes, return the normalisation that its first operators show; None where they show none.

    Also None where the input is quantized: its pixels go in as they are.
    """
    try:
        model = root(data, b"TFL3")
        graph = next(model.tables(_SUBGRAPHS))
        found = _Front(model, graph).find()
    except (FlatbufferError, StopIteration, IndexError, ValueError):
        return None  # damaged or unusual: the interpreter reports it
    if found is None:
        return None
    normalisation, reason, channels = found
    return KnownNormalisation(normalisation, Origin.DERIVED, reason, channels)


@dataclass(frozen=True, slots=True)
class Affine:
    """What a tensor holds of the input x: scale * x + shift, in one number or one for each colour."""

    scale: NDArray[np.float64]
    shift: NDArray[np.float64]
    moved: bool = False
    """Whether the colours may have changed places."""

    def after(self, kind: int, constant: NDArray[np.float64], *, is_first: bool) -> "Affine":
        """Return what an operator ADD, SUB, MUL or DIV makes of it with a constant; is_first: of x - c, not c - x."""
        return _calculate(kind, self, constant, is_first=is_first)

    @property
    def is_unchanged(self) -> bool:
        """Whether it is x itself."""
        return bool(np.all(self.scale == 1) and np.all(self.shift == 0))


Found = tuple[Normalisation, str, str | None]


class _Front:
    """The operators between the input and the network."""

    def __init__(self, model: Table, graph: Table) -> None:
        self._kinds = operator_kinds(model)
        self._tensors = list(graph.tables(_TENSORS))
        self._operators = list(graph.tables(_OPERATORS))
        self._constants = Constants(model, graph)
        self._source = graph.numbers(_INPUTS, "i")[0]

    def find(self) -> Found | None:
        if self._tensors[self._source].number(_TYPE, "b") != _FLOAT32:
            return None
        values = {self._source: Affine(np.ones(1), np.zeros(1))}
        for operator in self._operators:
            taken = [index for index in operator.numbers(1, "i") if index in values]
            if not taken or self._kind(operator) == _SHAPE:
                continue
            made = self._pass(operator, values)
            if made is None:
                return self._judge(operator, values[taken[0]])
            values |= dict.fromkeys(operator.numbers(2, "i"), made)
        return None

    def _kind(self, operator: Table) -> int:
        return self._kinds[operator.number(0, "I")]

    def _pass(self, operator: Table, values: dict[int, Affine]) -> Affine | None:
        """What the operator makes of the input; None where it belongs to the network."""
        inputs, kind = operator.numbers(1, "i"), self._kind(operator)
        taken = [values[index] for index in inputs if index in values]
        if kind in _KEEPS:
            return taken[0]
        if kind in _MOVES:
            return Affine(taken[0].scale, taken[0].shift, moved=True)
        if kind == _CONCATENATION and len(taken) == len(inputs):
            scale, shift = (np.mean([part.mean() for part in parts], keepdims=True) for parts in (
                [one.scale for one in taken], [one.shift for one in taken],
            ))  # fmt: skip
            return Affine(scale, shift, moved=True)
        if kind not in (ADD, MUL, SUB, DIV) or len(inputs) != 2 or len(taken) != 1:
            return None
        before, is_first = taken[0], inputs[0] in values
        constant = self._constant(inputs[1] if is_first else inputs[0])
        if constant is None or constant.size not in (1, 3) or (kind == DIV and not (is_first and constant.all())):
            return None
        return _calculate(kind, before, constant, is_first=is_first)

    def _judge(self, operator: Table, before: Affine) -> Found | None:
        """What the network's first operator, and the scaling before it, show of the input's range."""
        if self._kind(operator) == _QUANTIZE:
            return self._quantized_range(operator.numbers(2, "i")[0], before)
        if not before.is_unchanged:
            return judge_scaling(before)
        if self._kind(operator) != _CONV_2D:
            return None
        weights = self._constant(operator.numbers(1, "i")[1])
        if weights is None or weights.ndim != 4:
            return None
        norm = float(np.sqrt(np.square(weights).sum(axis=(1, 2, 3)).mean()))
        if 0 < norm < _SMALL_WEIGHTS:
            return ZERO_TO_255, "the weights of the model's first layer are those of a network that scales pixels", None
        return None

    def _quantized_range(self, index: int, before: Affine) -> Found | None:
        tensor = self._tensors[index]
        quantization, kind = tensor.table(_QUANTIZATION), tensor.number(_TYPE, "b")
        if quantization is None or kind not in (_INT8, _UINT8):
            return None
        (scale,), (zero,) = quantization.numbers(_SCALES, "f"), quantization.numbers(_ZERO_POINTS, "q")
        lowest = -128 if kind == _INT8 else 0
        factor, shift = float(np.abs(before.scale).mean()), float(before.shift.mean())
        if not scale > 0 or not factor > 0:
            return None
        low, high = ((level - zero) * scale for level in (lowest, lowest + 255))
        low, high = (low - shift) / factor, (high - shift) / factor
        reason = f"the model's first operator quantizes values {low:.3g} to {high:.3g}"
        for (least, most), normalisation, channels in _RANGES:
            slack = 0.1 * (most - least)
            if abs(low - least) < slack and abs(high - most) < slack:
                return normalisation, reason, channels
        std = 255 / (high - low)
        return Normalisation((-low * std,), (std,)), reason, None

    def _constant(self, index: int) -> NDArray[np.float64] | None:
        """Return a constant tensor's numbers, of quantized and of float16 ones as float, too."""
        values = self._constants.read(index, _LARGEST_CONSTANT)
        return values if values is not None and np.isfinite(values).all() else None


_RANGES = (
    ((0.0, 1.0), ZERO_TO_1, None),
    ((-1.0, 1.0), MINUS_1_TO_1, None),
    ((0.0, 255.0), ZERO_TO_255, None),
    ((-2.118, 2.64), IMAGENET, None),
    ((-123.68, 151.061), CAFFE, BGR),
)
"""(lowest, highest) value that each normalisation makes of pixels 0..255. Networks with Caffe's take BGR."""


def _calculate(kind: int, before: Affine, constant: NDArray[np.float64], *, is_first: bool) -> Affine:
    value = constant.reshape(-1)
    if kind == ADD:
        return Affine(before.scale, before.shift + value, before.moved)
    if kind == SUB and is_first:
        return Affine(before.scale, before.shift - value, before.moved)
    if kind == SUB:
        return Affine(-before.scale, value - before.shift, before.moved)
    factor = value if kind == MUL else 1 / value
    return Affine(before.scale * factor, before.shift * factor, before.moved)


def judge_scaling(found: Affine) -> Found | None:
    """Return the normalisation of x, its reason and order of colours; None where it stays open.

    It is the range for which scale * x + shift lies where networks want it, about -3 to 3.
    """
    scale, shift = float(np.abs(found.scale).mean()), float(found.shift.mean())
    if scale == 1:
        return _judge_shift(found, abs(shift))
    if scale == 0:
        return None
    centre = -shift / float(found.scale.mean()) if found.scale.mean() else 0.0
    if 0.3 <= scale * 255 <= 8:
        return ZERO_TO_255, "the model scales pixels 0 to 255 itself", None
    is_symmetric = shift != 0 and (abs(centre) < 0.15 or abs(centre + 1) < 0.15)
    if 0.3 <= scale <= 8 or 100 <= scale <= 300:
        known = MINUS_1_TO_1 if is_symmetric else ZERO_TO_1
        return known, f"the model scales values {known.name or ''} itself".replace("..", " to "), None
    return None


def _judge_shift(found: Affine, size: float) -> Found | None:
    reason = "the model subtracts a mean colour of"
    if size > 8:
        return ZERO_TO_255, f"{reason} pixels 0 to 255", judge_order(found)
    if 0.2 <= size <= 0.8:
        return ZERO_TO_1, f"{reason} values 0 to 1", None
    return None


def judge_order(found: Affine) -> str | None:
    """Return BGR where ImageNet's mean colour is subtracted in that order, and nothing before it changed the order."""
    means = -found.shift
    reverse = np.array(CAFFE.mean[::-1])
    return BGR if not found.moved and means.size == 3 and bool(np.abs(means - reverse).max() < 2) else None
