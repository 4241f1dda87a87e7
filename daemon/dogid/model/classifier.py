"""Classifying a photo's pixels by one interpreter, whatever the types of its input and output."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dogid.errors import PhotoError, UsageError
from dogid.model.input_size import has_open_size
from dogid.model.input_tensor import InputEncoder, InputKind
from dogid.model.interpreter import Backend, choose_backend
from dogid.model.labels import check_count, check_lengths, find_repeated
from dogid.model.model_file import AS_DEFINED, InputOptions, ModelFile, RunnableModel, read_model_file
from dogid.model.model_record import GoldenPhoto
from dogid.model.output_scores import Scores, are_all_equal, check_is_scores, generate_images, read_score_decoder
from dogid.photo.decode import decode
from dogid.photo.pixels import Pixels
from dogid.preprocessing import KnownNormalisation, Normalisation, Origin, parse_normalisation

SHOWN_SCORES = 5
"""How many of the best scores a result keeps."""

_OTHER_TASK = "; is it a detection or segmentation model? dogid runs image classifiers"


class Classifier:
    """One interpreter with its buffers. Not for use by two threads at once: each worker makes its own."""

    def __init__(self, model: RunnableModel, backend: Backend) -> None:
        try:
            self._interpreter = backend.interpreter(model.data)
            self._input = _only(self._interpreter.get_input_details(), "input")
            outputs = self._interpreter.get_output_details()
            self._network = model.network
            if self._network is not None:
                outputs = [output for output in outputs if output["index"] != self._network.tensor]
            self._output = _only(outputs, "output")
            self.model_name = model.name
            self.size = photo_size(self._input["shape"])
            count = _class_count(self._output["shape"])
            check_is_scores(self._output)
            self.labels = _labels(model, count)
            self._encode = InputEncoder.for_input(self._input, model)
            self._takes_uint8 = model.takes_uint8
            self._decode = read_score_decoder(self._output, model.metadata.output_kind, self.size, self._run)
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"{model.title}: not an image classifier that dogid can run: {error}") from error

    @property
    def input_kind(self) -> InputKind:
        """What the model's input takes, for people."""
        return self._encode.kind(self.size, takes_uint8=self._takes_uint8)

    @property
    def output_kind(self) -> dict[str, str]:
        """What the output tensor gives, for people."""
        return {"dtype": np.dtype(self._output["dtype"]).name, "reading": self._decode.description}

    @property
    def network_name(self) -> str | None:
        """The SHA-256 of the network whose embeddings it gives; None where it gives none."""
        return None if self._network is None else self._network.sha256

    def encode(self, pixels: Pixels) -> NDArray[Any]:
        """Given pixels [height, width, 3] uint8, return what the input tensor gets for them."""
        return self._encode(pixels)

    def classify(self, pixels: Pixels) -> Scores:
        """Given pixels [height, width, 3] uint8 in the model's size, return probabilities [labels] in label order."""
        raw = self._run(pixels)
        scores = self._decode(raw)
        if raw.dtype.kind == "f" and not np.isfinite(scores).all():  # integers are always finite
            raise RuntimeError("the model returned NaN")
        return scores

    def read_embedding(self) -> bytes | None:
        """Return the embedding of the photo that was classified last, as the network gave it; None without one.

        None where the model's network is not known, or its embeddings were not asked for.
        """
        if self._network is None:
            return None
        raw: NDArray[Any] = self._interpreter.get_tensor(self._network.tensor)
        return raw.tobytes()

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
    input: InputKind

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its input in pixels."""
        return self.input.width, self.input.height

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may make its answers wrong, each with the way out."""
        repeated = find_repeated(self.labels)
        twice = f"several outputs have the same label in {self.file.labels_from}: {', '.join(repeated[:3])}"
        guess = self.input.warn()
        return (*([guess] if guess else []), *([twice] if repeated else []))

    def classifier(self) -> Classifier:
        """Make a classifier for one thread."""
        return Classifier(self.file, self.backend)


def load_model(
    path: Path, labels: Path | None = None, options: InputOptions = AS_DEFINED, *, embeddings: bool = False
) -> Model:
    """Read a model, choose the backend, and run the self-test on the golden photo where there is one.

    Where there is none, compare the answers to a few images that dogid makes. labels and options are the user's, see
    `read_model_file`. embeddings: whether its classifiers give those, too, where the model's network is known. Raise
    UsageError naming the file and the reason.
    """
    return check_model(read_model_file(path, labels, options, embeddings=embeddings))


def check_model(file: ModelFile) -> Model:
    """Choose the backend of a model file that was read, and test it as `load_model` does. Raise UsageError."""
    path = file.path
    if has_open_size(file.data):
        raise UsageError(f"{path}: the model takes images of any size: give the one it was trained with, --size N")
    try:
        backend = choose_backend(file.data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    file = _improve_guess(file, backend)
    classifier = Classifier(file, backend)
    deviation = find_deviation(classifier, file.golden) if file.golden else None
    if deviation is not None:
        raise UsageError(f"{path}: the model fails its self-test, so its answers cannot be trusted: {deviation}")
    if file.golden is None:
        _check_answers(classifier, path)
    return _make_model(file, backend, classifier)


def _make_model(file: ModelFile, backend: Backend, classifier: Classifier) -> Model:
    kind = classifier.input_kind
    if file.network is not None:
        file = replace(file, network=file.network.with_input(f"{kind.channels} {kind.setting}"))
    return Model(file, backend, classifier.labels, kind)


def _improve_guess(file: ModelFile, backend: Backend) -> ModelFile:
    """Return a model with a likelier normalisation, where its own is a guess and gives one answer to everything."""
    classifier = Classifier(file, backend)
    guess = classifier.input_kind
    if guess.origin is not Origin.GUESSED:
        return file
    from dogid.model.likely_normalisation import find_likely, make_test_pictures

    pictures = make_test_pictures(classifier.size)

    def classify(normalisation: Normalisation) -> list[Scores]:
        known = KnownNormalisation(normalisation, Origin.GUESSED, "")
        tried = Classifier(replace(file, normalisation=known), backend)
        return [tried.classify(picture) for picture in pictures]

    try:
        likely = find_likely(parse_normalisation(guess.setting), classify)
    except RuntimeError:  # NaN: `_check_answers` decides
        return file
    return file if likely is None else replace(file, normalisation=likely)


def _check_answers(classifier: Classifier, path: Path) -> None:
    """Raise UsageError where a model returns NaN for every image, or the same answer."""
    answers, images = [], generate_images(classifier.size)
    for image in images:
        with contextlib.suppress(RuntimeError):  # some networks divide by the contrast, and fail on flat images alone
            answers.append(classifier.classify(image))
    if not answers:
        raise UsageError(f"{path}: the model returns NaN for every image: its weights are damaged; export it again")
    if len(answers) == len(images) and are_all_equal(answers):
        shown = ", ".join(f"{value:.3f}" for value in answers[0][:SHOWN_SCORES])
        raise UsageError(
            f"{path}: the model gives the same answer, {shown}, to {len(answers)} different images: it was not "
            "trained, or was damaged when it was exported"
        )


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
    order = (-scores).argsort(kind="stable")[:count]
    best: dict[str, float] = {}
    for at, score in zip(order.tolist(), scores[order].tolist(), strict=True):
        best.setdefault(labels[at], round(score, 6))  # label files may name two classes alike
    return best


def _only(details: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    if len(details) != 1:
        names = ", ".join(str(item["name"]) for item in details)
        raise ValueError(f"it has {len(details)} {kind}s ({names}) instead of one{_OTHER_TASK}")
    return details[0]


def photo_size(shape: Sequence[int]) -> tuple[int, int]:
    """Return (width, height) of an input tensor's images. Raise ValueError where it takes no images."""
    sides = list(map(int, shape))
    if len(shape) != 4 or shape[0] != 1 or not {1, 3} & {sides[3], sides[1]}:
        raise ValueError(f"its input is {sides}, not [1, height, width, 3] or [1, height, width, 1]{_OTHER_TASK}")
    height, width = (shape[1], shape[2]) if shape[3] in (1, 3) else (shape[2], shape[3])
    if min(height, width) < 2:
        raise ValueError(f"its input is {sides}: it does not define the size of its images; export it with a fixed one")
    return int(width), int(height)


def _class_count(shape: Sequence[int]) -> int:
    count = int(np.prod(shape))
    if count < 1 or count != max(shape, default=0):
        raise ValueError(f"its output is {list(map(int, shape))}, not [1, classes]{_OTHER_TASK}")
    return count


def _labels(model: RunnableModel, outputs: int) -> tuple[str, ...]:
    outputs = max(outputs, 2)  # one output stands for two labels: it is the probability of the second
    if model.labels is None:
        raise UsageError(
            f"{model.title}: no labels inside the model or beside it; give a file with {outputs} lines by --labels"
        )
    try:
        check_count(model.labels, outputs, model.labels_from)
        check_lengths(model.labels, model.labels_from)
    except ValueError as error:
        raise UsageError(f"{model.title}: {error}; give the right file by --labels") from error
    return model.labels
