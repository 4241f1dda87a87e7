"""Embeddings of made-up photos: a cloud for each label."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.learning.discriminant_analysis import PooledCovariance
from dogid.learning.learned import Learned
from dogid.learning.logistic_regression import fit_softmax
from dogid.learning.photos import Parent, ReviewedPhoto
from dogid.learning.standardisation import Standardisation
from dogid.model.head import Head
from dogid.model.training_embeddings import TrainingEmbeddings

WIDTH = 48
NOTHING = np.zeros((0, WIDTH), np.float32)


class Clouds:
    """Labels as places among which photos lie, so far apart that nearly all are recognised."""

    def __init__(self, labels: int, seed: int = 0, spread: float = 2.6) -> None:
        self._rng = np.random.default_rng(seed)
        self._places = self._rng.normal(0, spread / np.sqrt(2), (labels, WIDTH)) + 1

    def draw(self, label: int, photos: int) -> NDArray[np.float32]:
        """Return embeddings [photos, width] of a label."""
        # clouds of unit size in eight directions and a tenth in the others, as embeddings of networks are
        size = np.where(np.arange(WIDTH) % 6 == 0, 3.0, 1.0)
        return np.asarray(self._places[label] + self._rng.normal(0, 1, (photos, WIDTH)) * size, np.float32)


def parent_of(clouds: Clouds, labels: Sequence[str], photos: int = 60, *, trained: bool = False) -> Parent:
    """Return a model of the first labels of clouds, as training makes it, with so many stored photos of each."""
    embeddings = np.concatenate([clouds.draw(at, photos) for at in range(len(labels))])
    of = np.repeat(np.arange(len(labels)), photos)
    space = Standardisation.fit(embeddings)
    inputs = space.apply(embeddings)
    start = np.zeros((inputs.shape[1], len(labels))), np.zeros(len(labels))
    if len(labels) < 20:
        layer = fit_softmax(inputs, of, np.ones(len(of)), 100.0, start)
    else:
        layer = PooledCovariance.measure(inputs, of, np.ones(len(of)), len(labels)).fit_lda(0.5)
    weights, biases = space.fold(*layer)
    names = tuple(f"{at:064x}" for at in range(len(of)))
    stored = TrainingEmbeddings(embeddings, of, names, np.full(len(of), trained))
    return Parent(Head(weights.T.astype(np.float32), biases.astype(np.float32)), tuple(labels), stored)


def reviewed(embeddings: NDArray[np.float32], label: str, first: int = 10**6) -> list[ReviewedPhoto]:
    """Return photos with these embeddings [photos, width] that a person gave a label; hashes count from first."""
    return [
        ReviewedPhoto(f"{first + at}.jpg", f"{first + at:064x}", label, embedding, "", None)
        for at, embedding in enumerate(embeddings)
    ]


def recall(learned: Learned, embeddings: NDArray[np.float32], label: str) -> float:
    """Return the share of photos with these embeddings [photos, width] that get a label."""
    answers = learned.head.logits(embeddings).argmax(axis=1)
    return float((answers == learned.labels.index(label)).mean())


def continued(learned: Learned) -> Parent:
    """Return the model that was learned, as the next run reads it from its file."""
    return Parent(
        learned.head, learned.labels, learned.embeddings, frozenset(learned.learned_from),
        frozenset(learned.learned_labels),
        kept_before=frozenset(learned.kept),
        dropped_before=frozenset(learned.dropped),
    )  # fmt: skip
