"""Giving a size to models that take images of any height and width.

Such files have 1 for each side that is open, and -1 in the tensor's shape signature. The interpreter computes all other
shapes from the input's when its tensors are allocated. The copy differs in two numbers and has the same length.
Source of the fields: tensorflow/lite/schema/schema.fbs.
"""

import struct

from dogid.model.flatbuffer import FlatbufferError, Table, root

_SUBGRAPHS = 2  # Model
_TENSORS, _INPUTS = 0, 1  # SubGraph
_SHAPE, _SIGNATURE = 0, 7  # Tensor
_RANK = 4


def has_open_size(data: bytes) -> bool:
    """Whether a model takes images of any height and width."""
    try:
        tensor = _input(data)
        return _open_sides(tensor) != []
    except (FlatbufferError, StopIteration, IndexError):
        return False


def set_input_size(data: bytes, side: int) -> bytes:
    """Return a model with side pixels for each open side of its input. Raise ValueError where its size is fixed."""
    try:
        tensor = _input(data)
        sides = _open_sides(tensor)
        start, _ = tensor.vector(_SHAPE, 4)
    except (FlatbufferError, StopIteration, IndexError) as error:
        raise ValueError(f"the model is damaged: {error or 'a part is missing'}") from error
    shape = tensor.numbers(_SHAPE, "i")
    if not sides:
        if side in shape[1:]:
            return data
        raise ValueError(f"its input is {list(shape)}: the size is fixed, and --size {side} does not change it")
    copy = bytearray(data)
    for at in sides:
        struct.pack_into("<i", copy, start + 4 * at, side)
    return bytes(copy)


def _input(data: bytes) -> Table:
    graph = next(root(data, b"TFL3").tables(_SUBGRAPHS))
    tensors = list(graph.tables(_TENSORS))
    found: Table = tensors[graph.numbers(_INPUTS, "i")[0]]
    return found


def _open_sides(tensor: Table) -> list[int]:
    """The places of height and width in the shape, where they are open."""
    signature, shape = tensor.numbers(_SIGNATURE, "i"), tensor.numbers(_SHAPE, "i")
    if len(shape) != _RANK or len(signature) != _RANK:
        return []
    return [at for at in range(1, _RANK) if signature[at] == -1 and shape[at] == 1]
