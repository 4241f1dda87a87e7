"""Classifying a photo's pixels by one interpreter, whatever the types of its input and output."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.errors import PhotoError, UsageError
from dogid.model.input_tensor import InputEncoder
from dogid.model.interpreter import Backend, choose_backend
from dogid.model.labels import check_count
from dogid.model.model_file import GoldenPhoto, ModelFile, RunnableModel, read_model_file
from dogid.model.output_scores import Scores, read_score_decoder
from dogid.photo.decode import decode
from dogid.photo.pixels import Pixels

SHOWN_SCORES = 5
"""How many of the best scores a result keeps."""


class Classifier:
    """One interpreter with its buffers. Not for use by two threads at once: each worker makes its own."""

    def __init__(self, model: RunnableModel, backend: Backend) -> None:
        try:
            self._interpreter = backend.interpreter(model.data)
            self._input = _only(self._interpreter.get_input_details(), "input")
            self._output = _only(self._interpreter.get_output_details(), "output")
            self.model_name = model.name
            self.size = _photo_size(self._input["shape"])
            outputs = _class_count(self._output["shape"])
            self.labels = _labels(model, outputs)
            self._encode = InputEncoder.for_input(self._input, model)
            self._taken_dtype = "uint8" if model.takes_uint8 else self._encode.dtype.name
            self._decode = read_score_decoder(self._output, model.metadata.output_kind, self.size, self._run)
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"{model.title}: not an image classifier that dogid can run: {error}") from error

    @property
    def input_kind(self) -> dict[str, str]:
        """What the model's input takes, for people."""
        return {"dtype": self._taken_dtype, "normalisation": self._encode.description}

    @property
    def output_kind(self) -> dict[str, str]:
        """What the output tensor gives, for people."""
        return {"dtype": np.dtype(self._output["dtype"]).name, "reading": self._decode.description}

    def classify(self, pixels: Pixels) -> Scores:
        """Given pixels [height, width, 3] uint8 in the model's size, return probabilities [labels] in label order."""
        scores = self._decode(self._run(pixels))
        if not np.isfinite(scores).all():
            raise RuntimeError("the model returned NaN")
        return scores

    def _run(self, pixels: Pixels) -> NDArray[Any]:
        self._interpreter.set_tensor(self._input["index"], self._encode(pixels))
        self._interpreter.invoke()
        raw: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])
        return raw


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was read and that has passed its self-test: makes classifiers for workers."""

    file: ModelFile
    backend: Backend
    labels: tuple[str, ...]
    size: tuple[int, int]
    """(width, height) of its input in pixels."""

    def classifier(self) -> Classifier:
        """Make a classifier for one thread."""
        return Classifier(self.file, self.backend)


def load_model(path: Path, labels: Path | None = None) -> Model:
    """Read a model, choose the backend, and run the self-test on the golden photo where there is one.

    Raise UsageError naming the file and the reason.
    """
    file = read_model_file(path, labels)
    try:
        backend = choose_backend(file.data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    classifier = Classifier(file, backend)
    deviation = find_deviation(classifier, file.golden) if file.golden else None
    if deviation is not None:
        raise UsageError(f"{path}: the model fails its self-test, so its answers cannot be trusted: {deviation}")
    return Model(file, backend, classifier.labels, classifier.size)


def find_deviation(classifier: Classifier, golden: GoldenPhoto) -> str | None:
    """Classify a golden photo; return how the scores differ from the expected ones, or None if they do not."""
    try:
        photo = decode(golden.data, classifier.size)
    except PhotoError as error:
        return f"the golden photo cannot be decoded: {error.message}"
    scores = classifier.classify(photo.pixels)
    if len(scores) != len(golden.scores):
        return f"{len(scores)} scores instead of {len(golden.scores)}"
    deviation = float(np.abs(scores - np.asarray(golden.scores)).max())
    # written so that NaN fails too
    return None if deviation <= golden.tolerance else f"a score differs by {deviation:.3f} from the expected one"


def best_scores(scores: Scores, labels: Sequence[str], count: int = SHOWN_SCORES) -> dict[str, float]:
    """Given probabilities [labels], return the best ones by label, best first; ties keep the labels' order."""
    order = np.argsort(-scores, kind="stable")[:count]
    best: dict[str, float] = {}
    for at in order:
        best.setdefault(labels[at], round(float(scores[at]), 6))  # label files may name two classes alike
    return best


def _only(details: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    if len(details) != 1:
        names = ", ".join(str(item["name"]) for item in details)
        raise ValueError(f"it has {len(details)} {kind}s ({names}) instead of one")
    return details[0]


def _photo_size(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) != 4 or shape[0] != 1 or 3 not in (shape[3], shape[1]):
        raise ValueError(f"its input is {list(map(int, shape))}, not [1, height, width, 3]")
    height, width = (shape[1], shape[2]) if shape[3] == 3 else (shape[2], shape[3])
    if min(height, width) < 2:
        raise ValueError(f"its input is {list(map(int, shape))}: it does not define the size of its images")
    return int(width), int(height)


def _class_count(shape: Sequence[int]) -> int:
    count = int(np.prod(shape))
    if count < 1 or count != max(shape, default=0):
        raise ValueError(f"its output is {list(map(int, shape))}, not [1, classes]")
    return count


def _labels(model: RunnableModel, outputs: int) -> tuple[str, ...]:
    outputs = max(outputs, 2)  # one output stands for two labels: it is the probability of the second
    if model.labels is None:
        raise UsageError(
            f"{model.title}: no labels inside the model or beside it; give a file with {outputs} lines by --labels"
        )
    try:
        check_count(model.labels, outputs, model.labels_from)
    except ValueError as error:
        raise UsageError(f"{model.title}: {error}; give the right file by --labels") from error
    return model.labels
