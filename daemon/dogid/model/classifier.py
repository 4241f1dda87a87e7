"""A photo's pixels in, probabilities out: one interpreter, whatever the kinds of its input and output."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.errors import PhotoError, UsageError
from dogid.model.labels import check_count
from dogid.model.modelfile import GoldenPhoto, ModelFile, read_model_file
from dogid.model.runtime import Backend, choose_backend
from dogid.photo import Pixels, decode

SHOWN_SCORES = 5
"""How many of the best scores a result keeps."""

_MOBILENET_MEAN = _MOBILENET_STD = 127.5  # pixels to -1..1, where a float model does not tell

_SUM_SLACK = 0.02

Scores = NDArray[np.float32]


class Classifier:
    """One interpreter with its buffers. Not for use by two threads at once: each worker makes its own."""

    def __init__(self, model: ModelFile, backend: Backend) -> None:
        try:
            self._interpreter = backend.interpreter(model.data)
            self._input = _only(self._interpreter.get_input_details(), "input")
            self._output = _only(self._interpreter.get_output_details(), "output")
            self.size = _photo_size(self._input["shape"])
            outputs = _class_count(self._output["shape"])
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"{model.path}: not an image classifier that dogid can run: {error}") from error
        self.labels = _labels(model, outputs)
        self._to_input = _InputScaling.of(self._input, model)

    @property
    def input_kind(self) -> dict[str, str]:
        """What the input tensor takes, for people."""
        return {"dtype": self._to_input.dtype.name, "normalisation": self._to_input.explained}

    def classify(self, pixels: Pixels) -> Scores:
        """Given pixels [height, width, 3] uint8 in the model's size, return probabilities [labels] in label order."""
        self._interpreter.set_tensor(self._input["index"], self._to_input(pixels)[np.newaxis])
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"]).reshape(-1)
        scores = _probabilities(_dequantized(raw, self._output), self._output)
        if not np.isfinite(scores).all():
            raise RuntimeError("the model answers with numbers that are none (NaN)")
        return scores


@dataclass(frozen=True, slots=True)
class Model:
    """A model that has been read and has proved that it runs: makes classifiers for workers."""

    file: ModelFile
    backend: Backend
    labels: tuple[str, ...]
    size: tuple[int, int]
    """(width, height) of its input in pixels."""

    def classifier(self) -> Classifier:
        """Make a classifier for one thread."""
        return Classifier(self.file, self.backend)


def load_model(path: Path, labels: Path | None = None) -> Model:
    """Read a model, choose the backend, and let it prove itself on its golden photo where it carries one.

    Raise UsageError naming the file and the reason.
    """
    file = read_model_file(path, labels)
    try:
        backend = choose_backend(file.data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    classifier = Classifier(file, backend)
    deviation = self_test(classifier, file.golden) if file.golden else None
    if deviation is not None:
        raise UsageError(f"{path}: the model fails its self-test, so its answers cannot be trusted: {deviation}")
    return Model(file, backend, classifier.labels, classifier.size)


def self_test(classifier: Classifier, golden: GoldenPhoto) -> str | None:
    """Classify a known photo; return how the answer differs from the known one, or None if it does not."""
    try:
        photo = decode(golden.data, classifier.size)
    except PhotoError as error:
        return f"the known photo cannot be decoded: {error.message}"
    scores = classifier.classify(photo.pixels)
    if len(scores) != len(golden.scores):
        return f"{len(scores)} scores instead of {len(golden.scores)}"
    worst = float(np.abs(scores - np.asarray(golden.scores)).max())
    # written so that NaN fails too
    return None if worst <= golden.tolerance else f"a score lies {worst:.3f} from the known one"


def best_scores(scores: Scores, labels: Sequence[str], count: int = SHOWN_SCORES) -> dict[str, float]:
    """Given probabilities [labels], return the best ones by label, best first; ties keep the labels' order."""
    order = np.argsort(-scores, kind="stable")[:count]
    best: dict[str, float] = {}
    for at in order:
        best.setdefault(labels[at], round(float(scores[at]), 6))  # label files may name two classes alike
    return best


@dataclass(frozen=True, slots=True)
class _InputScaling:
    """How uint8 pixels become the input tensor: (pixel - mean) / std, then quantized where the input is."""

    dtype: "np.dtype[Any]"
    mean: float
    std: float
    explained: str

    @classmethod
    def of(cls, details: dict[str, Any], model: ModelFile) -> "_InputScaling":
        dtype = np.dtype(details["dtype"])
        if dtype not in (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.float32)):
            raise UsageError(f"{model.path}: the input is {dtype}; dogid feeds uint8, int8 and float32")
        mean = _MOBILENET_MEAN if model.mean is None else model.mean
        std = model.std or _MOBILENET_STD
        if dtype != np.float32:
            return cls(dtype, mean, std, "pixels as they are")
        source = "as the file tells" if model.mean is not None else "unchecked: the file does not tell"
        return cls(dtype, mean, std, f"(pixel - {mean:g}) / {std:g}, {source}")

    def __call__(self, pixels: Pixels) -> NDArray[Any]:
        if self.dtype == np.uint8:
            return pixels
        if self.dtype == np.int8:
            # int8 models span the pixels' range with theirs: 0 is -128, 255 is 127
            return (pixels ^ 0x80).view(np.int8)
        return (pixels.astype(np.float32) - np.float32(self.mean)) / np.float32(self.std)


def _only(details: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    if len(details) != 1:
        names = ", ".join(str(item["name"]) for item in details)
        raise ValueError(f"it has {len(details)} {kind}s ({names}) instead of one")
    return details[0]


def _photo_size(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
        raise ValueError(f"its input is {list(map(int, shape))}, not [1, height, width, 3]")
    return int(shape[2]), int(shape[1])


def _class_count(shape: Sequence[int]) -> int:
    count = int(np.prod(shape))
    if count < 2 or count != shape[-1]:
        raise ValueError(f"its output is {list(map(int, shape))}, not [1, classes] with two classes or more")
    return count


def _labels(model: ModelFile, outputs: int) -> tuple[str, ...]:
    if model.labels is None:
        raise UsageError(
            f"{model.path}: no labels inside the model or beside it; give a file with {outputs} lines by --labels"
        )
    try:
        check_count(model.labels, outputs, model.labels_from)
    except ValueError as error:
        raise UsageError(f"{model.path}: {error}; give the right file by --labels") from error
    return model.labels


def _dequantized(raw: NDArray[Any], details: dict[str, Any]) -> Scores:
    scale, zero_point = details["quantization"]
    if raw.dtype == np.float32 or scale == 0:
        return raw.astype(np.float32)
    # int8 minus its zero point would overflow
    widened = raw.astype(np.int32) - zero_point
    return np.asarray(widened * np.float32(scale), dtype=np.float32)


def _probabilities(values: Scores, details: dict[str, Any]) -> Scores:
    """Values as they are where they are probabilities; else (logits) their softmax.

    A quantized output is judged by the range that it can express, since rounding a thousand small probabilities to
    1/256 leaves a sum far from 1; a float one by its sum, which softmax makes 1 to within rounding.
    """
    scale, zero_point = details["quantization"]
    if details["dtype"] == np.float32 or scale == 0:
        are_probabilities = bool(values.min() >= 0 and abs(values.sum() - 1) < _SUM_SLACK)
    else:
        kind = np.iinfo(details["dtype"])
        low, high = (kind.min - zero_point) * scale, (kind.max - zero_point) * scale
        are_probabilities = low > -_SUM_SLACK and high < 1 + _SUM_SLACK
    if are_probabilities:
        return values
    exponentials = np.exp(values - values.max())
    return np.asarray(exponentials / exponentials.sum(), dtype=np.float32)
