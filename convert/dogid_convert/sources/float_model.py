"""The float classifier that is converted, in whatever form it came."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dogid.preprocessing import GUESS
from dogid_convert.graph.network import GraphFact, Hints, Network, make_network
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.reports.training_report import REPORT, read_recorded_normalisation
from dogid_convert.sources.graphdef import read_graph
from dogid_convert.sources.likely_normalisation import improve_guess
from dogid_convert.sources.sniff import is_tflite
from dogid_convert.support.progress import Track
from dogid_convert.support.quiet_tensorflow import suppress_stderr
from dogid_convert.tflite.from_network import convert_network


class FloatSource(Protocol):
    """A float classifier that can answer, and become a TensorFlow Lite model."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its images in pixels."""

    @property
    def classes(self) -> int:
        """Number of its outputs."""

    @property
    def normalisation(self) -> UniformNormalisation:
        """How pixels 0..255 become its input."""

    @property
    def facts(self) -> tuple[GraphFact, ...]:
        """What was found about it, for the user."""

    def predict(self, pixels: NDArray[np.uint8], track: Track) -> NDArray[np.float32]:
        """Given pixels [photos, height, width, 3], return probabilities [photos, classes]."""

    def tflite(self, dtype: str) -> bytes:
        """Return it as a float32, float16 or dynamic TensorFlow Lite model."""


@dataclass(frozen=True, slots=True)
class GraphSource:
    """A TensorFlow graph, run by TensorFlow."""

    network: Network

    @property
    def size(self) -> tuple[int, int]:
        """See FloatSource."""
        return self.network.size

    @property
    def classes(self) -> int:
        """See FloatSource."""
        return self.network.classes

    @property
    def normalisation(self) -> UniformNormalisation:
        """See FloatSource."""
        return self.network.normalisation

    @property
    def facts(self) -> tuple[GraphFact, ...]:
        """See FloatSource."""
        return self.network.facts

    def predict(self, pixels: NDArray[np.uint8], track: Track) -> NDArray[np.float32]:
        """See FloatSource."""
        return self.network.predict(pixels, track)

    def tflite(self, dtype: str) -> bytes:
        """See FloatSource."""
        return convert_network(self.network, dtype)


def open_source(path: Path, hints: Hints) -> FloatSource:
    """Read a classifier in any known form. Raise UsageError or DogidError with the reason and the way out."""
    if is_tflite(path):
        from dogid_convert.sources.tflite import read_tflite

        return read_tflite(path, hints)
    with suppress_stderr():
        network = make_network(read_graph(path), hints, _normalisation_beside(path))
        likely = improve_guess(
            network.normalisation, network.size, lambda n, pixels: replace(network, normalisation=n).predict(pixels)
        )
        return GraphSource(network.with_normalisation(likely))


def _normalisation_beside(graph: Path) -> UniformNormalisation:
    """Return the normalisation for a graph that defines none: as its training recorded it, or MobileNet's default."""
    recorded = read_recorded_normalisation(graph)
    if recorded is not None:
        return UniformNormalisation(*recorded, f"from {REPORT} beside the graph")
    return UniformNormalisation(
        GUESS.mean[0],
        GUESS.std[0],
        "not defined by the graph: MobileNet's default; --mean and --std change it",
        is_guess=True,
    )
