"""Reading a float `.tflite` model as the source of a conversion."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError
from dogid.model.containers import read_zipped_model
from dogid.model.custom_operators import explain_custom_operators
from dogid.model.input_size import has_open_size, set_input_size
from dogid.model.model_file import read_model_file
from dogid.preprocessing import GUESS, Normalisation
from dogid_convert.graph.colour_convolution import split_normalisation
from dogid_convert.graph.network import GraphFact, Hints, describe_normalisation
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.sources.likely_normalisation import improve_guess
from dogid_convert.support.progress import Track, untracked
from dogid_convert.tflite import run
from dogid_convert.tflite.colour_convolution import put_convolution_first
from dogid_convert.tflite.flatbuffer_edit import Model, TensorFacts, facts_of, operator_name, pack, unpack
from dogid_convert.tflite.float_ending import add_softmax, float16_to_float32, split_in_two
from dogid_convert.tflite.planar_input import is_planar, put_colours_last
from dogid_convert.tflite.smaller_weights import shrink_weights

_SAME_VALUES = ("RESHAPE", "SQUEEZE", "DEQUANTIZE")
_PROBABILITIES = ("SOFTMAX", "LOGISTIC")


@dataclass(frozen=True, slots=True)
class TfliteSource:
    """A float TensorFlow Lite model, run by its interpreter."""

    model: bytes
    size: tuple[int, int]
    classes: int
    normalisation: UniformNormalisation
    facts: tuple[GraphFact, ...]

    def predict(self, pixels: NDArray[np.uint8], track: Track) -> NDArray[np.float32]:
        """See FloatSource."""
        return _predict(self.model, self.classes, self.normalisation, pixels, track)

    def tflite(self, dtype: str) -> bytes:
        """See FloatSource. Raise DogidError where the package for dynamic and float16 is missing."""
        return self.model if dtype == "float32" else shrink_weights(self.model, dtype)


def _predict(
    model: bytes,
    classes: int,
    normalisation: UniformNormalisation,
    pixels: NDArray[np.uint8],
    track: Track = untracked,
) -> NDArray[np.float32]:
    labels = tuple(map(str, range(classes)))
    return run.predict(run.make_classifier(model, labels, normalisation), pixels, track, "float model")


def _unzip(path: Path, data: bytes) -> bytes:
    """Return the only `.tflite` in a zip, or the file itself. Raise DogidError where the zip is damaged."""
    try:
        zipped = read_zipped_model(data)
    except ValueError as error:
        raise DogidError(f"{path}: {error}") from error
    return data if zipped is None else zipped.data


def read_tflite(path: Path, hints: Hints) -> TfliteSource:
    """Return a float model. Raise UsageError where it is quantized or no image classifier, DogidError if damaged."""
    try:
        data = path.read_bytes()
        sized = _with_size(path, data if data[4:8] == b"TFL3" else _unzip(path, data), hints)
        model = unpack(sized)
        graph = model.subgraphs[0]
        inputs, outputs = ([facts_of(model, index) for index in ends] for ends in (graph.inputs, graph.outputs))
    except DogidError:
        raise
    except Exception as error:  # the generated reader raises nearly anything on damaged files
        raise DogidError(f"{path}: the TensorFlow Lite model is damaged: {type(error).__name__}: {error}") from error
    reason = explain_custom_operators(sized)
    if reason is not None:
        raise UsageError(f"{path}: {reason}")
    source, answer = _only(path, inputs, "input", hints.input), _only(path, outputs, "output", hints.output)
    _check_float(path, model, source, answer)
    float16_to_float32(model)
    values = int(np.prod(answer.shape))
    if values < 1 or values != answer.shape[-1]:
        raise UsageError(f"{path}: the output {answer.name} is {list(answer.shape)}, not [1, classes]")
    planar = is_planar(source.shape)
    if planar:
        put_colours_last(model)
    size = (source.shape[3], source.shape[2]) if planar else (source.shape[2], source.shape[1])
    if hints.side is not None and (hints.side, hints.side) != size:
        raise UsageError(f"{path}: the size of a .tflite is fixed: {size[0]} x {size[1]}, not --size {hints.side}")
    found = _normalisation(path, hints)
    normalisation, convolution = split_normalisation(*found)
    if convolution is not None:
        put_convolution_first(model, convolution)
    added = ""
    if values == 1:
        split_in_two(model)
        add_softmax(model)
        added = "; one value, the second label's: made into two probabilities"
    elif not _gives_probabilities(model):
        add_softmax(model)
        added = "; logits: a softmax is added"
    made, classes = pack(model), max(values, 2)
    normalisation = improve_guess(normalisation, size, lambda n, pixels: _predict(made, classes, n, pixels))
    facts = (
        GraphFact("input", source.name, "the model's only input" + ("; planar: made interleaved" if planar else "")),
        GraphFact("output", answer.name, "the model's only output" + added),
        GraphFact("size", f"{size[0]} x {size[1]}", "the shape of the input"),
        describe_normalisation(normalisation),
    )
    return TfliteSource(made, size, classes, normalisation, facts)


def _with_size(path: Path, data: bytes, hints: Hints) -> bytes:
    """Return a model of open size with the size that the user gave; all others as they are."""
    if not has_open_size(data):
        return data
    if hints.side is None:
        raise UsageError(f"{path}: the model takes images of any size: give the one it was trained with, --size N")
    return set_input_size(data, hints.side)


def _only(path: Path, tensors: list[TensorFacts], kind: str, wanted: str | None) -> TensorFacts:
    names = ", ".join(tensor.name for tensor in tensors)
    if len(tensors) != 1:
        raise UsageError(f"{path}: the model has {len(tensors)} {kind}s ({names}); dogid runs models with one")
    if wanted is not None and wanted.removesuffix(":0") != tensors[0].name.removesuffix(":0"):
        raise UsageError(f"{path}: no {kind} {wanted!r}; the model has {names}, and cannot be cut elsewhere")
    return tensors[0]


def _check_float(path: Path, model: Model, source: TensorFacts, answer: TensorFacts) -> None:
    if answer.dtype in ("INT32", "INT64"):
        raise UsageError(
            f"{path}: its output is a class number ({answer.dtype.lower()}), without scores; export it without the "
            "argmax at its end"
        )
    custom = sorted({operator_name(model, op) for op in model.subgraphs[0].operators} & {"CUSTOM"})
    if custom:
        raise DogidError(f"{path}: the model has operators of its own, which need a library in every interpreter")
    tensors = model.subgraphs[0].tensors
    if source.dtype != "FLOAT32" or answer.dtype != "FLOAT32" or any(t.type == schema.TensorType.INT8 for t in tensors):
        raise UsageError(
            f"{path}: quantized already ({source.dtype} in, {answer.dtype} out): dogid runs it as it is; convert the "
            "float model that it was made of"
        )
    if not is_planar(source.shape) and (len(source.shape) != 4 or source.shape[3] != 3):
        is_grey = len(source.shape) == 4 and source.shape[3] == 1
        way_out = ": it takes grey images, and dogid runs it as it is" if is_grey else ""
        raise UsageError(
            f"{path}: the input {source.name} is {list(source.shape)}, not an image [1, height, width, 3]{way_out}"
        )


def _normalisation(path: Path, hints: Hints) -> tuple[UniformNormalisation, Normalisation | None, str | None]:
    """Return what `split_normalisation` takes: the uniform one, the one that the user or the file gives, the order."""
    given, channels, reason = hints.normalisation, hints.channels, "given by --mean and --std"
    known = read_model_file(path).normalisation if given is None else None
    if known is not None:
        given, channels, reason = known.normalisation, channels or known.channels, known.reason
    if given is None:
        return (
            UniformNormalisation(
                GUESS.mean[0],
                GUESS.std[0],
                "not defined by the model: MobileNet's default; --mean and --std change it",
                is_guess=True,
            ),
            None,
            channels,
        )
    mean, std = (given.mean[0], given.std[0]) if given.is_uniform else (0.0, 1.0)
    return UniformNormalisation(mean, std, reason), given, channels


def _gives_probabilities(model: Model) -> bool:
    graph = model.subgraphs[0]
    makers = {index: operator for operator in graph.operators for index in operator.outputs}
    index = graph.outputs[0]
    while index in makers and operator_name(model, makers[index]) in _SAME_VALUES:
        index = makers[index].inputs[0]
    return index in makers and operator_name(model, makers[index]) in _PROBABILITIES
