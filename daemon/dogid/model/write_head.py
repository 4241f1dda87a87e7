"""Writing a model with another last layer: a complete file, that is loaded and compared before it has its name."""

import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dogid import __version__
from dogid.errors import DogidError
from dogid.model.classifier import Classifier, Model, check_model
from dogid.model.golden_photo import generate_image
from dogid.model.head import Head, read_head
from dogid.model.input_size import has_open_size, set_input_size
from dogid.model.interpreter import Backend
from dogid.model.model_file import extract_flatbuffer, parse_model_file, read_content
from dogid.model.model_labels import LABELS
from dogid.model.model_writer import FileContents, compose_model_file
from dogid.model.network import read_network
from dogid.model.output_scores import Scores
from dogid.model.replace_head import cut_head_out, replace_head
from dogid.model.standard_metadata import ClassifierFacts, classifier_metadata
from dogid.model.tflite_metadata import read_metadata
from dogid.model.training_embeddings import TrainingEmbeddings, encode
from dogid.preprocessing import BGR, Normalisation, parse_normalisation
from dogid.system.atomic_files import write_atomically

_MOST_DIFFERENCE = 1e-4
"""Of a score, between the interpreter and numpy; 1e-5 is what they differ by in summing a thousand numbers in another
order. Higher passes damaged layers, lower may refuse sound ones on other processors."""
_COMPARED = 500  # embeddings, at most, that both compute the scores of: a few milliseconds
_IMAGES = 4  # that go through both whole models


class UnwritableModelError(DogidError):
    """A model's last layer cannot be replaced, or the new model does not give the scores that it should."""


@dataclass(frozen=True, slots=True)
class NewModel:
    """What a new model has of its own; the network is its parent's."""

    head: Head
    """Calibrated: its softmax gives the probabilities."""
    labels: tuple[str, ...]
    """[labels], in the head's order."""
    embeddings: TrainingEmbeddings | None
    """Of the photos that it can be learned from again; None carries none."""
    corrections: Sequence[str]
    """SHA-256, in hex, of the photos with a person's word that the head was fitted to."""
    command: str
    """What made it, without paths."""
    learned_labels: Sequence[str] = ()
    """Labels whose rows are fitted anew at the next learning: those that were learned from corrections alone."""
    kept: Sequence[str] = ()
    """SHA-256, in hex, of photos in embeddings whose label people said is right."""
    dropped: Sequence[str] = ()
    """Of those that people wanted to be left out."""


@dataclass(frozen=True, slots=True)
class WrittenModel:
    """A model file that was written."""

    path: Path
    sha256: str
    """Of the file."""
    network: str
    """The SHA-256 of its network: its parent's."""
    max_error: float
    """Largest difference of a score between the interpreter and numpy."""
    compared: int
    """Embeddings that this was measured on."""


def write_head(parent: Model, target: Path, new: NewModel) -> WrittenModel:
    """Write a model file with the network of a parent and a new last layer; the same inputs give the same bytes.

    The file takes its name as a whole, once it was loaded, has passed its self-test, and gives the scores that numpy
    computes. Raise UnwritableModelError with the reason where that fails, or the parent cannot be changed; UsageError
    where the parent cannot be read, OSError where the target cannot be written.
    """
    try:
        content = compose_model(parent, new)
        model = check_model(parse_model_file(target, content, embeddings=True))
        max_error, compared = _measure_error(parent, model, new)
    except (ValueError, RuntimeError) as error:
        reason = f"a model with a new last layer cannot be made of it: {error}"
        raise UnwritableModelError(f"{parent.file.path}: {reason}") from error
    write_atomically(target, content)
    sha256 = hashlib.sha256(content).hexdigest()
    assert model.file.network is not None
    return WrittenModel(target, sha256, model.file.network.sha256, max_error, compared)


def compose_model(parent: Model, new: NewModel) -> bytes:
    """Return the content of a model file with the network of a parent and a new last layer.

    Raise ValueError or UnknownPartError with the reason where it cannot be made, UsageError where the parent cannot be
    read.
    """
    _check_shapes(parent, new)
    data = _read_parent(parent)
    normalisation = _normalisation_of(parent)
    facts = ClassifierFacts(
        name=parent.file.path.stem,
        description=f"Image classifier, its last layer learned by dogid {__version__}",
        size=parent.size,
        mean=() if normalisation is None else normalisation.mean,
        std=() if normalisation is None else normalisation.std,
        quantized_input=parent.input.dtype != "float32",
        labels_file=LABELS,
    )
    model = replace_head(data, new.head, classifier_metadata(facts))
    contents = FileContents(
        labels=new.labels,
        size=parent.size,
        normalisation=normalisation,
        channels=BGR if parent.input.channels == BGR else None,
        provenance=_describe_origin(parent, new),
        embeddings=None if new.embeddings is None else encode(new.embeddings, quickly=True),
    )
    usual, other = (_make_classifier(parent, model, new.labels, accelerated=fast).classify for fast in (True, False))
    return compose_model_file(model, contents, usual, other)


def _check_shapes(parent: Model, new: NewModel) -> None:
    """Raise ValueError where the new parts do not fit one another, or the network."""
    network, shape = parent.file.network, new.head.weights.shape
    if network is None:
        network = read_network(parent.file.data)  # says why there is none
    if shape != (len(new.labels), network.width) or new.head.bias.shape != (len(new.labels),):
        raise ValueError(f"its last layer has shape {shape}, which does not fit {len(new.labels)} labels")
    if new.embeddings is not None and new.embeddings.embeddings.shape[1:] != (network.width,):
        raise ValueError("the stored embeddings are not those of its network")


def _read_parent(parent: Model) -> bytes:
    """Return the parent's flatbuffer, in the size that it is run with. Raise ValueError where the file was changed."""
    path = parent.file.path
    content = read_content(path)
    if hashlib.sha256(content).hexdigest() != parent.file.sha256:
        raise ValueError("the file was changed after it was loaded; try again")
    data = extract_flatbuffer(path, content)
    return set_input_size(data, max(parent.size)) if has_open_size(data) else data


def _normalisation_of(parent: Model) -> Normalisation | None:
    """Return what the parent is fed; None where pixels go in as they are.

    Also where that was a guess: the new layer is fitted to what the network gives for this input.
    """
    if parent.file.normalisation is not None:
        return parent.file.normalisation.normalisation
    return parse_normalisation(parent.input.setting) if parent.input.setting else None


def _make_classifier(parent: Model, model: bytes, labels: tuple[str, ...], *, accelerated: bool) -> Classifier:
    runnable = replace(
        parent.file,
        data=model,
        labels=labels,
        labels_from="the new labels",
        metadata=read_metadata(model),
        network=None,
        takes_uint8=False,
    )
    return Classifier(runnable, Backend(parent.backend.module, accelerated))


def _describe_origin(parent: Model, new: NewModel) -> dict[str, Any]:
    return {
        "parent": {"file": parent.file.name, "sha256": parent.file.sha256},
        "corrections": list(new.corrections),
        "learned_labels": list(new.learned_labels),
        **{key: list(photos) for key, photos in (("kept", new.kept), ("dropped", new.dropped)) if photos},
        "command": new.command,
        "versions": {
            "dogid": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "interpreter": parent.backend.module,
        },
    }


def _measure_error(parent: Model, model: Model, new: NewModel) -> tuple[float, int]:
    """Return the largest difference of a score from what numpy computes, and how many embeddings were compared.

    Raise ValueError where it is too large, or where the network gives other embeddings than the parent's.
    """
    network, written = model.file.network, read_head(model.file.data)
    if network is None or parent.file.network is None or network.sha256 != parent.file.network.sha256:
        raise ValueError("its network differs from the former model's")
    if not (np.array_equal(written.weights, new.head.weights) and np.array_equal(written.bias, new.head.bias)):
        raise ValueError("its last layer differs from the one that was fitted")
    if model.labels != new.labels:
        raise ValueError("its labels are not read as they were given")
    before, after = parent.classifier(), model.classifier()
    raw, scores = list[bytes](), list[Scores]()
    for seed in range(_IMAGES):
        image = generate_image(model.size, seed)
        before.classify(image)
        scores.append(after.classify(image))
        raw.append(after.read_embedding() or b"")
        if raw[-1] != before.read_embedding():
            raise ValueError("its network gives other embeddings than the former model's")
    if new.embeddings is not None:
        known = new.embeddings.embeddings
        chosen = network.write_embeddings(known[:: max(1, len(known) // _COMPARED)])
        raw += chosen
        scores += _run_head(model, chosen)
    errors = np.abs(np.array(scores) - new.head.scores(network.read_embeddings(raw)))
    if not float(errors.max()) <= _MOST_DIFFERENCE:  # so that NaN fails, too
        raise ValueError(f"a score differs by {float(errors.max()):.2g} from the computed one")
    return float(errors.max()), len(raw)


def _run_head(model: Model, embeddings: Sequence[bytes]) -> list[Scores]:
    """Return the interpreter's scores [labels] of embeddings as the network gives them."""
    interpreter = model.backend.interpreter(cut_head_out(model.file.data))
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    scores = []
    for one in embeddings:
        interpreter.set_tensor(taken["index"], np.frombuffer(one, taken["dtype"]).reshape(taken["shape"]))
        interpreter.invoke()
        scores.append(interpreter.get_tensor(given["index"]).reshape(-1))
    return scores
