"""Running a TensorFlow Lite model as the daemon does, and timing it."""

import statistics
import time

import numpy as np
from numpy.typing import NDArray

from dogid.model.classifier import Classifier
from dogid.model.interpreter import Backend, choose_backend
from dogid.model.model_file import RunnableModel
from dogid.model.tflite_metadata import read_metadata
from dogid.preprocessing import KnownNormalisation, Normalisation, Origin
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.support.progress import Track
from dogid_convert.support.quiet_tensorflow import suppress_stderr

_ROUNDS = 30
_WARM_UP = 3


def make_classifier(
    model: bytes, labels: tuple[str, ...], normalisation: UniformNormalisation, *, accelerated: bool = True
) -> Classifier:
    """Return the daemon's own classifier for a model that is not a file yet."""
    runnable = RunnableModel(
        name="unwritten model",
        title="the converted model",
        data=model,
        labels=labels,
        labels_from="the graph's labels",
        normalisation=KnownNormalisation(
            Normalisation((normalisation.mean,), (normalisation.std,)), Origin.FILE, normalisation.reason
        ),
        metadata=read_metadata(model),
    )
    with suppress_stderr():
        return Classifier(runnable, Backend(choose_backend(model).module, accelerated))


def predict(model: Classifier, pixels: NDArray[np.uint8], track: Track, what: str) -> NDArray[np.float32]:
    """Given pixels [photos, height, width, 3], return probabilities [photos, labels]."""
    return np.stack([model.classify(pixels[i]) for i in track(range(len(pixels)), what)])


def measure_milliseconds(model: Classifier, pixels: NDArray[np.uint8]) -> float:
    """Return the median time that one thread of this machine takes for one image [height, width, 3]."""
    times = []
    for _ in range(_WARM_UP + _ROUNDS):
        start = time.perf_counter()
        model.classify(pixels)
        times.append(time.perf_counter() - start)
    return statistics.median(times[_WARM_UP:]) * 1000
