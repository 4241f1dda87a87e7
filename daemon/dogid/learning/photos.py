"""What a new last layer is learned from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.errors import DogidError
from dogid.learning.standardisation import Floats
from dogid.model.head import Head
from dogid.model.training_embeddings import TrainingEmbeddings

Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Check = Callable[[], None]
"""Called between steps of a second or less; may raise to end the learning."""

Recent = Floats | Callable[[], Floats]
"""Embeddings [photos, width], or what reads them: then they are in memory only while they are needed."""


class LearningError(DogidError):
    """Nothing can be learned, with the reason and the way out."""


@dataclass(frozen=True, slots=True)
class ReviewedPhoto:
    """A photo whose label a person gave or confirmed."""

    name: str
    """As people see it: the path in the inbox."""
    sha256: str
    label: str
    embedding: Floats
    """[width], by the parent's network."""
    folder: str
    """Where it lay: photos of one folder that were taken within a minute count once."""
    taken_at: float | None
    """Seconds since 1970; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The model that a new one is made of."""

    head: Head
    labels: tuple[str, ...]
    stored: TrainingEmbeddings | None
    """None where the file carries none: a model of someone else's."""
    learned_from: frozenset[str] = frozenset()
    """SHA-256, in hex, of the stored photos that are in it because people said what they show."""

    learned_labels: frozenset[str] = frozenset()
    """Labels whose rows were learned from reviews alone."""
    withdrawn: frozenset[str] = frozenset()
    """SHA-256, in hex, of photos of which people took back what they had said, or are unsure now."""
    dropped: frozenset[str] = frozenset()
    """SHA-256, in hex, of stored photos that people want to be left out: they stay in the file, and nothing is learned
    from them."""
    kept_before: frozenset[str] = frozenset()
    """SHA-256, in hex, of the stored photos that people had said are labelled rightly when it was learned."""
    dropped_before: frozenset[str] = frozenset()
    """Of those that were `dropped` when it was learned."""

    def find_learned_labels(self) -> Mask:
        """Return which labels [labels] have rows that were learned from reviews alone: they are fitted anew."""
        return np.array([label in self.learned_labels for label in self.labels], bool)

    @property
    def has_originals(self) -> bool:
        """Whether the file carries photos that the model was trained on, and not only reviewed ones."""
        return self.stored is not None and any(name not in self.learned_from for name in self.stored.sha256)


@dataclass(frozen=True, slots=True)
class Fresh:
    """The reviewed photos that the parent has not learned yet, without those with two labels."""

    photos: Sequence[ReviewedPhoto]
    embeddings: Floats
    """[photos, width]."""
    labels: Indices
    """[photos], places in the new model's labels."""
    clusters: Indices
    """[photos], the number of each photo's near-duplicates, stored ones among them."""
    weights: NDArray[np.float64]
    """[photos], how much each counts: a cluster as much as one photo."""
    network_trained: Mask
    """[photos], whether the network was trained on it: stored photos with another label now."""
    formerly: Indices
    """[photos], the label that the parent has learned it with; -1 of photos that it has not learned."""

    def select(self, kept: Mask) -> "Fresh":
        """Return the photos of a mask [photos]."""
        if kept.all():
            return self
        photos = [photo for photo, keep in zip(self.photos, kept, strict=True) if keep]
        return Fresh(
            photos, self.embeddings[kept], self.labels[kept], self.clusters[kept], self.weights[kept],
            self.network_trained[kept], self.formerly[kept],
        )  # fmt: skip
