"""Removal of the operator that turns uint8 pixels into int8.

Converters give an int8 network a uint8 input by a QUANTIZE in front, which takes 128 from every pixel. LiteRT does that
number by number; flipping a bit of each pixel is the same. So the interpreter gets a copy that begins with the operator
behind it, and takes int8. On the shipped model this saves 0.06 to 0.09 ms of 1.65 ms, which is 2 % of a photo of 0.3
megapixels with its decoding (2.75 ms), and of all models of that kind: those of others, too.

Source of the fields: tensorflow/lite/schema/schema.fbs. The copy differs in three numbers and has the same length.
"""

import itertools
import struct
from collections.abc import Iterator

from dogid.model.flatbuffer import Table, root

_OPERATOR_CODES, _SUBGRAPHS = 1, 2  # Model
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3  # SubGraph
_KIND, _TAKES, _MAKES = 0, 1, 2  # Operator
_SHAPE, _TYPE, _QUANTIZATION = 0, 1, 4  # Tensor
_SCALES, _ZERO_POINTS = 2, 3  # QuantizationParameters
_UINT8, _INT8 = 3, 9  # TensorType
_QUANTIZE = 114  # BuiltinOperator
_SHIFT = 128


def strip_input_quantize(data: bytes) -> bytes | None:
    """Given a model, return it without its first operator where that only turns uint8 into int8; else None."""
    try:
        model = root(data, b"TFL3")
        graph = next(model.tables(_SUBGRAPHS))
        behind = _tensor_behind(model, graph)
        return None if behind is None else _cut(data, graph, behind)
    except (ValueError, StopIteration, IndexError):
        return None  # damaged or unusual: the interpreter will say so


def _tensor_behind(model: Table, graph: Table) -> int | None:
    """The int8 tensor that the first operator makes of the graph's only input, if that is all that it does."""
    inputs, operators = graph.numbers(_INPUTS, "i"), list(graph.tables(_OPERATORS))
    first, others = operators[0], operators[1:]
    code = list(model.tables(_OPERATOR_CODES))[first.number(_KIND, "I")]
    made = first.numbers(_MAKES, "i")
    if max(code.number(0, "b"), code.number(3, "i")) != _QUANTIZE or len(inputs) != 1 or len(made) != 1:
        return None
    (taken,), (behind,) = inputs, made
    tensors = list(graph.tables(_TENSORS))
    if not _differ_by_a_bit(tensors[taken], tensors[behind]) or first.numbers(_TAKES, "i") != inputs:
        return None
    needs_both = any(taken in operator.numbers(_TAKES, "i") for operator in others)
    return None if needs_both or {taken, behind} & set(graph.numbers(_OUTPUTS, "i")) else behind


def _differ_by_a_bit(pixels: Table, values: Table) -> bool:
    if (pixels.number(_TYPE, "b"), values.number(_TYPE, "b")) != (_UINT8, _INT8):
        return False
    before, after = pixels.table(_QUANTIZATION), values.table(_QUANTIZATION)
    if before is None or after is None:
        return False
    (zero, *more), (shifted, *others) = before.numbers(_ZERO_POINTS, "q"), after.numbers(_ZERO_POINTS, "q")
    same_scale = before.numbers(_SCALES, "f") == after.numbers(_SCALES, "f")
    return same_scale and not more and not others and zero - shifted == _SHIFT


def _cut(data: bytes, graph: Table, behind: int) -> bytes | None:
    """Make the tensor behind the input, and let the vector of operators begin with the second."""
    copy = bytearray(data)
    inputs, _ = graph.vector(_INPUTS, 4)
    operators, count = graph.vector(_OPERATORS, 4)
    pointer = graph.place(_OPERATORS)
    if pointer is None:
        return None
    struct.pack_into("<i", copy, inputs, behind)
    struct.pack_into("<I", copy, operators, count - 1)  # over the first one's offset, just before the second's
    struct.pack_into("<I", copy, pointer, operators - pointer)
    cut = bytes(copy)
    return cut if _others_are_the_same(graph, next(root(cut, b"TFL3").tables(_SUBGRAPHS))) else None


def _others_are_the_same(before: Table, after: Table) -> bool:
    """Whether no other operator or tensor shares the bytes that were changed, as a thrifty writer might have it."""
    pairs = itertools.zip_longest(_parts(before, 1), _parts(after, 0))
    return all(one == other for one, other in pairs) and before.numbers(_OUTPUTS, "i") == after.numbers(_OUTPUTS, "i")


def _parts(graph: Table, first: int) -> Iterator[tuple[object, ...]]:
    """Yield what matters of each operator from the first on, and of each tensor.

    One at a time, and quantization as it is stored: all of it as numbers took 3 MB, of which Python kept one.
    """
    for operator in itertools.islice(graph.tables(_OPERATORS), first, None):
        yield operator.number(_KIND, "I"), operator.numbers(_TAKES, "i"), operator.numbers(_MAKES, "i")
    for tensor in graph.tables(_TENSORS):
        quantization = tensor.table(_QUANTIZATION)
        levels = (
            () if quantization is None else (quantization.content(_SCALES, 4), quantization.content(_ZERO_POINTS, 8))
        )
        yield tensor.numbers(_SHAPE, "i"), *levels
