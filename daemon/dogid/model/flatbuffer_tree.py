"""A `.tflite` model's flatbuffer as a tree that can be changed and written again.

Which fields of which tables are vectors, texts and other tables is from tensorflow/lite/schema/schema.fbs; all others
are scalars, which are copied as they are. A model with a part that is not in this table is refused: it would be lost.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import flatbuffers

from dogid.model.flatbuffer import Table, root

IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # schema.fbs: Buffer.data is force_align 16
_DEEPEST = 20
_LARGE_CUSTOM_OPTIONS = 9  # Operator


class UnknownPartError(ValueError):
    """A model has a part that would not be written again; the message is the reason."""


@dataclass(frozen=True, slots=True)
class _Vector:
    """A field that is a vector of scalars."""

    size: int
    """Bytes of a number."""
    alignment: int
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class _Tables:
    """A field that is a table, or a vector of them."""

    kind: str
    several: bool = True


_BYTES, _INTS, _LONGS = _Vector(1, 1), _Vector(4, 4), _Vector(8, 8)
_TEXT = _Vector(1, 1, is_text=True)
# table -> (number of its fields, those that are no scalars)
_FIELDS: Mapping[str, tuple[int, Mapping[int, _Vector | _Tables]]] = {
    "Model": (
        10,
        {1: _Tables("OperatorCode"), 2: _Tables("SubGraph"), 3: _TEXT, 4: _Tables("Buffer"), 5: _INTS,
         6: _Tables("Metadata"), 7: _Tables("SignatureDef"), 8: _Tables("ExternalBufferGroup"),
         9: _Tables("ExternalBuffer")},
    ),
    "OperatorCode": (4, {1: _TEXT}),
    "SubGraph": (6, {0: _Tables("Tensor"), 1: _INTS, 2: _INTS, 3: _Tables("Operator"), 4: _TEXT}),
    "Tensor": (
        11,
        {0: _INTS, 3: _TEXT, 4: _Tables("QuantizationParameters", several=False),
         6: _Tables("SparsityParameters", several=False), 7: _INTS, 9: _Tables("VariantSubType")},
    ),
    "QuantizationParameters": (
        7, {0: _INTS, 1: _INTS, 2: _INTS, 3: _LONGS, 5: _Tables("QuantizationDetails", several=False)},
    ),
    "Operator": (
        14,
        {1: _INTS, 2: _INTS, 4: _Tables("BuiltinOptions", several=False), 5: _BYTES, 7: _BYTES, 8: _INTS,
         12: _Tables("BuiltinOptions2", several=False)},
    ),
    "Buffer": (3, {0: _Vector(1, _ALIGNMENT)}),
    "Metadata": (2, {0: _TEXT}),
    "SignatureDef": (5, {0: _Tables("TensorMap"), 1: _Tables("TensorMap"), 2: _TEXT}),
    "TensorMap": (2, {0: _TEXT}),
    "VariantSubType": (3, {0: _INTS}),
    # options that are not scalars alone
    "ConcatEmbeddingsOptions": (3, {1: _INTS, 2: _INTS}),
    "FullyConnectedOptions": (6, {5: _BYTES}),
    "ReshapeOptions": (1, {0: _INTS}),
    "SqueezeOptions": (1, {0: _INTS}),
    "VarHandleOptions": (2, {0: _TEXT, 1: _TEXT}),
    "BucketizeOptions": (1, {0: _INTS}),
}  # fmt: skip
_OTHER_OPTIONS = "options of scalars"
_OPTIONS = {
    3: "ConcatEmbeddingsOptions",
    8: "FullyConnectedOptions",
    17: "ReshapeOptions",
    30: "SqueezeOptions",
    111: "VarHandleOptions",
    115: "BucketizeOptions",
}  # numbers of the union BuiltinOptions
_MOST_OPTIONS = 126
"""How many kinds of BuiltinOptions are known; a later kind may hold more than scalars."""
_SCALARS_OF_2 = frozenset({18, 20})  # of the union BuiltinOptions2: DilateOptions, ReduceWindowOptions


@dataclass(slots=True)
class Numbers:
    """A vector of scalars, or a text, as bytes."""

    content: bytes
    form: _Vector


@dataclass(slots=True, eq=False)
class Node:
    """A table; its fields are numbered in the order of their schema."""

    kind: str
    fields: "dict[int, Value]" = field(default_factory=dict)

    def number(self, at: int) -> int:
        """Return an unsigned scalar, 0 where it is left out."""
        value = self.fields.get(at, b"")
        return int.from_bytes(value, "little") if isinstance(value, bytes) else 0

    def set_number(self, at: int, value: int, size: int) -> None:
        """Change an unsigned scalar of size bytes."""
        self.fields[at] = value.to_bytes(size, "little")

    def ints(self, at: int) -> tuple[int, ...]:
        """Return a vector of int32."""
        value = self.fields.get(at)
        return struct.unpack(f"<{len(value.content) // 4}i", value.content) if isinstance(value, Numbers) else ()

    def set_ints(self, at: int, values: Sequence[int]) -> None:
        """Change a vector of int32."""
        self.fields[at] = Numbers(struct.pack(f"<{len(values)}i", *values), _INTS)

    def content(self, at: int) -> bytes:
        """Return a vector of bytes or a text."""
        value = self.fields.get(at)
        return value.content if isinstance(value, Numbers) else b""

    def set_content(self, at: int, content: bytes) -> None:
        """Change a vector of bytes or a text."""
        form = _FIELDS[self.kind][1][at]
        assert isinstance(form, _Vector)
        self.fields[at] = Numbers(content, form)

    def nodes(self, at: int) -> "list[Node]":
        """Return the tables of a vector; changes of this list are changes of the vector."""
        value = self.fields.setdefault(at, [])
        assert isinstance(value, list)
        return value


Value: TypeAlias = bytes | Numbers | Node | list[Node]


def read_tree(data: bytes) -> Node:
    """Given a model's bytes, return it as a tree, with all weights inside.

    Raise UnknownPartError where a part would be lost, FlatbufferError where it is damaged.
    """
    return _read(root(data, IDENTIFIER), "Model", 0)


def write_tree(model: Node) -> bytes:
    """Return a model's bytes, the same for equal trees."""
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(_write(builder, model), IDENTIFIER)
    return bytes(builder.Output())


def _read(table: Table, kind: str, depth: int) -> Node:
    if kind not in _FIELDS and kind != _OTHER_OPTIONS:
        raise UnknownPartError(f"it has {kind}, which dogid cannot write")
    if depth > _DEEPEST:
        raise UnknownPartError("its tables are nested too deep")
    slots, node = table.slots(), Node(kind)
    count, forms = _FIELDS.get(kind, (len(slots), {}))
    if kind in _FIELDS and max(slots, default=0) >= count:
        raise UnknownPartError(f"its {kind} has a field {max(slots)} that dogid does not know: it is too new")
    for at, slot in slots.items():
        form = forms.get(at)
        node.fields[at] = slot if form is None else _read_field(table, at, form, depth)
    if kind == "Operator" and node.number(_LARGE_CUSTOM_OPTIONS):
        raise UnknownPartError("it has custom options behind the flatbuffer, which dogid cannot write")
    return _read_in(node, table) if kind == "Buffer" else node


def _read_field(table: Table, at: int, form: _Vector | _Tables, depth: int) -> "Value":
    if isinstance(form, _Vector):
        start, length = table.vector(at, form.size)
        return Numbers(table.data[start : start + length * form.size], form)
    if form.several:
        return [_read(one, form.kind, depth + 1) for one in table.tables(at)]
    one = table.table(at)
    assert one is not None
    return _read(one, _options_kind(form.kind, table), depth + 1)


def _options_kind(kind: str, table: Table) -> str:
    """Return what a table's field of this kind holds: a union's kind is in the field before."""
    if kind == "BuiltinOptions":
        number = table.number(3, "B")
        return _OPTIONS.get(number, _OTHER_OPTIONS) if number <= _MOST_OPTIONS else f"options number {number}"
    if kind == "BuiltinOptions2":
        return _OTHER_OPTIONS if table.number(11, "B") in _SCALARS_OF_2 else "operators of StableHLO"
    return kind


def _read_in(buffer: Node, table: Table) -> Node:
    """Return a buffer with its content inside: weights may lie behind the flatbuffer, as large models have them."""
    offset, size = table.number(1, "Q"), table.number(2, "Q")
    if offset <= 1:
        return buffer
    read = Node("Buffer")
    read.set_content(0, table.data[offset : offset + size])
    return read


def _write(builder: Any, node: Node) -> int:
    """Write a table with all below it; return where it lies."""
    places = {at: _write_value(builder, value) for at, value in sorted(node.fields.items())}
    builder.StartObject(max(places, default=-1) + 1)
    # the largest first: so is there no padding between them
    for at, place in sorted(places.items(), key=lambda item: (-_size(node.fields[item[0]]), item[0])):
        value = node.fields[at]
        if isinstance(value, bytes):
            builder.Prep(len(value), 0)
            builder.head -= len(value)
            builder.Bytes[builder.head : builder.head + len(value)] = value
        else:
            builder.PrependUOffsetTRelative(place)
        builder.Slot(at)
    return int(builder.EndObject())


def _size(value: Value) -> int:
    return len(value) if isinstance(value, bytes) else 4


def _write_value(builder: Any, value: Value) -> int:
    """Write what a table refers to; return where it lies. Scalars are written with their table."""
    if isinstance(value, bytes):
        return 0
    if isinstance(value, Node):
        return _write(builder, value)
    if isinstance(value, list):
        places = [_write(builder, one) for one in value]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())
    if value.form.is_text:
        return int(builder.CreateString(value.content))
    count = len(value.content) // value.form.size
    builder.StartVector(value.form.size, count, value.form.alignment)
    builder.head -= len(value.content)
    builder.Bytes[builder.head : builder.head + len(value.content)] = value.content
    return int(builder.EndVector())
