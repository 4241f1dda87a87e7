"""The network of a model: all of it but the last layer. Models that were learned from one another share it.

It turns a photo into an embedding, which the last layer makes scores of. Embeddings are stored as the network gives
them, and only comparable within one network: it is named by a hash.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.model.constants import operator_kinds
from dogid.model.flatbuffer import FlatbufferError, Table, root
from dogid.model.last_layer import LastLayer, NoLastLayerError, find_last_layer

_SUBGRAPHS, _BUFFERS = 2, 4  # Model
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3  # SubGraph
_SHAPE, _TYPE, _BUFFER, _QUANTIZATION = 0, 1, 2, 4  # Tensor
_SCALES, _ZERO_POINTS, _AXIS = 2, 3, 6  # QuantizationParameters
_KIND, _TAKES, _MAKES, _OPTIONS, _CUSTOM = 0, 1, 2, 4, 5  # Operator
_RESHAPES = frozenset({22, 43})  # RESHAPE, SQUEEZE: their options hold a vector, and say what the result's shape says


@dataclass(frozen=True, slots=True)
class Network:
    """A network, and how to read its embeddings."""

    sha256: str
    """Of everything that its embeddings depend on; in hex."""
    tensor: int
    """The number of the embedding's tensor within the model."""
    width: int
    """How many numbers an embedding has."""
    dtype: str
    """Of a raw embedding: int8, uint8 or float32."""
    scale: float
    """What a raw number counts, above the zero point; 1 where it is float32."""
    zero_point: int

    def read_embeddings(self, raw: Sequence[bytes]) -> NDArray[np.float32]:
        """Given embeddings as the network gave them, return them as numbers [photos, width].

        Raise ValueError where one is not of this network's size.
        """
        dtype = np.dtype(self.dtype).newbyteorder("<")
        if not all(map(self.fits, raw)):
            raise ValueError(f"an embedding of another size than {self.width * dtype.itemsize} bytes")
        numbers = np.frombuffer(b"".join(raw), dtype).reshape(-1, self.width).astype(np.float32)
        return numbers if self.dtype == "float32" else (numbers - self.zero_point) * np.float32(self.scale)

    def fits(self, raw: bytes) -> bool:
        """Return whether an embedding has the size of this network's; a stored one may be damaged."""
        return isinstance(raw, bytes) and len(raw) == self.width * np.dtype(self.dtype).itemsize

    def write_embeddings(self, embeddings: NDArray[np.float32]) -> list[bytes]:
        """Return embeddings [photos, width] as the network gives them: rounded, where it gives whole numbers."""
        dtype = np.dtype(self.dtype).newbyteorder("<")
        if self.dtype == "float32":
            return [row.tobytes() for row in embeddings.astype(dtype)]
        limits = np.iinfo(dtype)
        levels = np.clip(np.rint(embeddings / np.float32(self.scale)) + self.zero_point, limits.min, limits.max)
        return [row.tobytes() for row in levels.astype(dtype)]

    def with_input(self, description: str) -> "Network":
        """Return the network that is fed so: with another normalisation it gives other embeddings."""
        sha256 = hashlib.sha256(f"{self.sha256} {description}".encode()).hexdigest()
        return Network(sha256, self.tensor, self.width, self.dtype, self.scale, self.zero_point)


def read_network(data: bytes) -> Network:
    """Given a model's bytes, return its network.

    Raise NoLastLayerError with the reason where it has no last layer that dogid finds.
    """
    layer = find_last_layer(data)
    try:
        sha256 = _hash_network(data, layer)
    except (FlatbufferError, StopIteration, IndexError) as error:
        raise NoLastLayerError(f"the model is damaged: {error or 'a part is missing'}") from error
    return Network(sha256, layer.embedding, layer.width, layer.dtype, layer.scale, layer.zero_point)


def expose_embedding(data: bytes, tensor: int) -> bytes:
    """Given a model with one output, return it with a tensor as its second one; raise ValueError where it is damaged.

    The longer list of outputs is appended, where the subgraph then finds it: nothing else changes.
    """
    graph = next(root(data, b"TFL3").tables(_SUBGRAPHS))
    outputs, place = graph.numbers(_OUTPUTS, "i"), graph.place(_OUTPUTS)
    if place is None:
        raise FlatbufferError("no outputs")
    at = -(-len(data) // 4) * 4
    copy = bytearray(at)
    copy[: len(data)] = data
    copy += struct.pack(f"<I{len(outputs) + 1}i", len(outputs) + 1, *outputs, tensor)
    struct.pack_into("<I", copy, place, at - place)
    return bytes(copy)


def _hash_network(data: bytes, layer: LastLayer) -> str:
    """Return the hash of all that leads to the embedding: the same wherever it lies within a file."""
    model = root(data, b"TFL3")
    graph = next(model.tables(_SUBGRAPHS))
    kinds, buffers, tensors = operator_kinds(model), list(model.tables(_BUFFERS)), list(graph.tables(_TENSORS))
    digest, numbers = hashlib.sha256(), dict[int, int]()

    def add(*values: object) -> None:
        digest.update(f"{values}\n".encode())

    def add_tensor(index: int) -> None:
        if index < 0 or index in numbers:
            add(numbers.get(index, index))
            return
        numbers[index] = len(numbers)
        tensor = tensors[index]
        add(tensor.numbers(_SHAPE, "i"), tensor.number(_TYPE, "b"))
        add_quantization(tensor.table(_QUANTIZATION))
        add_vector(buffers[tensor.number(_BUFFER, "I")], 0, 1)

    def add_quantization(table: Table | None) -> None:
        if table is not None and table.vector(_SCALES, 4)[1]:
            add_vector(table, _SCALES, 4)
            add_vector(table, _ZERO_POINTS, 8)
            add(table.number(_AXIS, "i"))

    def add_vector(table: Table, field: int, size: int) -> None:
        start, count = table.vector(field, size)
        add(count)
        digest.update(memoryview(data)[start : start + count * size])

    for index in graph.numbers(_INPUTS, "i"):
        add_tensor(index)
    for operator in _operators_before(graph, layer.embedding):
        kind = kinds[operator.number(_KIND, "I")]
        add(kind, operator.content(_CUSTOM), () if kind in _RESHAPES else _scalars(operator.table(_OPTIONS)))
        for field in (_TAKES, _MAKES):
            for index in operator.numbers(field, "i"):
                add_tensor(index)
    add(numbers[layer.embedding])
    return digest.hexdigest()


def _operators_before(graph: Table, tensor: int) -> Iterator[Table]:
    """Yield the operators that a tensor depends on, in the order in which they run."""
    operators, needed, chosen = list(graph.tables(_OPERATORS)), {tensor}, []
    for operator in reversed(operators):
        if needed.intersection(operator.numbers(_MAKES, "i")):
            needed.update(operator.numbers(_TAKES, "i"))
            chosen.append(operator)
    yield from reversed(chosen)


def _scalars(table: Table | None) -> tuple[tuple[int, bytes], ...]:
    """Return the fields of a table of scalars that are not 0, without the padding behind them."""
    return (
        ()
        if table is None
        else tuple((field, number) for field, slot in sorted(table.slots().items()) if (number := slot.rstrip(b"\0")))
    )
