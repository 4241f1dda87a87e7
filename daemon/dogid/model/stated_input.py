"""What a model's input takes, read from its file alone: without an interpreter, which takes longer."""

import numpy as np

from dogid.errors import UsageError
from dogid.model.classifier import photo_size
from dogid.model.flatbuffer import FlatbufferError, Table, root
from dogid.model.input_tensor import InputEncoder, InputKind
from dogid.model.model_file import ModelFile

_DTYPES = {0: "float32", 2: "int32", 3: "uint8", 9: "int8"}  # TensorType


def read_input_kind(file: ModelFile) -> InputKind:
    """Return how the daemon would feed a model. Raise UsageError where it would refuse its input."""
    try:
        graph = next(root(file.data, b"TFL3").tables(2))
        tensor = list(graph.tables(0))[graph.numbers(1, "i")[0]]
        shape = tensor.numbers(0, "i")
        quantization = _quantization(tensor)
        size = photo_size(shape)
    except (FlatbufferError, StopIteration, IndexError) as error:
        raise UsageError(f"{file.path}: the model is damaged: {error or 'a part is missing'}") from error
    except ValueError as error:
        raise UsageError(f"{file.path}: {error}") from error
    dtype = _DTYPES.get(tensor.number(1, "b"), "float64")
    details = {"dtype": np.dtype(dtype), "shape": shape, "quantization": quantization}
    return InputEncoder.for_input(details, file).kind(size, takes_uint8=file.takes_uint8)


def _quantization(tensor: Table) -> tuple[float, int]:
    """Return (scale, zero point) of a tensor that has one of each; (0, 0) of all others, as interpreters do."""
    table = tensor.table(4)
    scales = () if table is None else table.numbers(2, "f")
    zeros = () if table is None else table.numbers(3, "q")
    return (float(scales[0]), int(zeros[0])) if len(scales) == len(zeros) == 1 else (0.0, 0)
