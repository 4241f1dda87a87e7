"""Reading and changing the flatbuffer of a `.tflite` model.

Source: tensorflow/lite/schema/schema.fbs, in the form that ai-edge-litert carries.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # schema.fbs: Buffer.data is force_align 16, which the generated Python code ignores

_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPES = {value: name for name, value in vars(schema.TensorType).items() if not name.startswith("_")}
_DTYPES = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.INT8: "i1", schema.TensorType.INT32: "<i4"}

Model: TypeAlias = Any
"""schema.ModelT: the generated code has no types."""


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """A tensor of a model."""

    name: str
    dtype: str
    """As schema.fbs calls it: FLOAT32, UINT8, INT8, ..."""
    shape: tuple[int, ...]
    scale: float
    """0 where the tensor is not quantized (or quantized by channel)."""
    zero_point: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model's input and output, and what it computes in float."""

    input: TensorFacts
    output: TensorFacts
    float_operators: tuple[str, ...]
    """Names of the operators that compute in float, in order, without those that only change the type."""

    @property
    def io_types(self) -> tuple[str, str]:
        """Types of input and output, as numpy calls them."""
        return self.input.dtype.lower(), self.output.dtype.lower()


def read_facts(data: bytes) -> ModelFacts:
    """Return the facts of a model with one input and one output."""
    model = unpack(data)
    graph = model.subgraphs[0]
    ends = graph.inputs[0], graph.outputs[0]
    return ModelFacts(facts_of(model, ends[0]), facts_of(model, ends[1]), tuple(_float_operators(model)))


def unpack(data: bytes) -> Model:
    """Return a model as objects that can be changed."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:  # weights may lie behind the flatbuffer, as models above 2 GB need it
            content = data[buffer.offset : buffer.offset + buffer.size]
            buffer.data, buffer.offset, buffer.size = np.frombuffer(content, dtype=np.uint8), 0, 0
    return model


def pack(model: Model) -> bytes:
    """Return a model's bytes, with its weights aligned as the interpreter's kernels want them."""
    model.buffers = [_AlignedBuffer.of(buffer) for buffer in model.buffers]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def add_metadata(data: bytes, name: str, content: bytes) -> bytes:
    """Return the model with a named entry in its metadata, instead of one of that name that is there."""
    model = unpack(data)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(content, dtype=np.uint8)
    model.buffers.append(buffer)
    entry = schema.MetadataT()
    entry.name, entry.buffer = name.encode(), len(model.buffers) - 1
    model.metadata = [old for old in model.metadata or [] if old.name != entry.name] + [entry]
    return pack(model)


def operator_name(model: Model, operator: Any) -> str:
    """Return an operator's name as schema.fbs has it, CONV_2D for example."""
    code = model.operatorCodes[operator.opcodeIndex]
    name: str = _OPERATORS.get(max(code.builtinCode, code.deprecatedBuiltinCode), "CUSTOM")
    return name


def tensor_name(model: Model, index: int) -> str:
    """Return the name of a tensor of the main subgraph."""
    return _text(model.subgraphs[0].tensors[index].name)


def tensor_values(model: Model, index: int) -> NDArray[Any]:
    """Return the constant values of a float32, int8 or int32 tensor of the main subgraph, in its shape."""
    tensor = model.subgraphs[0].tensors[index]
    content = np.asarray(model.buffers[tensor.buffer].data, dtype=np.uint8).tobytes()
    return np.frombuffer(content, dtype=_DTYPES[tensor.type]).reshape(tuple(tensor.shape))


def _float_operators(model: Model) -> list[str]:
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        name = operator_name(model, operator)
        if name in ("QUANTIZE", "DEQUANTIZE"):
            continue
        if any(graph.tensors[index].type == schema.TensorType.FLOAT32 for index in operator.outputs):
            found.append(name)
    return found


def facts_of(model: Model, index: int) -> TensorFacts:
    """Return the facts of a tensor of the main subgraph."""
    tensor = model.subgraphs[0].tensors[index]
    quantization = tensor.quantization
    scales = [] if quantization is None or quantization.scale is None else list(quantization.scale)
    single = len(scales) == 1
    return TensorFacts(
        name=_text(tensor.name),
        dtype=_TYPES.get(tensor.type, str(tensor.type)),
        shape=tuple(int(side) for side in tensor.shape),
        scale=float(scales[0]) if single else 0.0,
        zero_point=int(quantization.zeroPoint[0]) if single else 0,
    )


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A BufferT that packs its data at a multiple of 16 bytes."""

    @classmethod
    def of(cls, buffer: Any) -> "_AlignedBuffer":
        aligned = cls()
        aligned.data = buffer.data
        return aligned

    def Pack(self, builder: Any) -> int:  # noqa: N802
        place = None
        if self.data is not None and len(self.data):
            content = np.asarray(self.data, dtype=np.uint8).tobytes()
            builder.StartVector(1, len(content), _ALIGNMENT)
            builder.head -= len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            place = builder.EndVector()
        schema.BufferStart(builder)
        if place is not None:
            schema.BufferAddData(builder, place)
        return int(schema.BufferEnd(builder))
