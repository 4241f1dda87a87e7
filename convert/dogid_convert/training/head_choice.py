"""Choosing a head by cross-validation: softmax layers by how strongly L2 holds them, and shrunk LDA.

This is the one way in which a head comes to be. `choose_head` fits every candidate on all folds but one, and scores it
on that one. The candidate with the lowest loss after temperature scaling is fitted on all photos.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.discriminant_analysis import PooledCovariance
from dogid.learning.logistic_regression import fit_softmax
from dogid.learning.standardisation import Matrix, Standardisation
from dogid.learning.temperature_scaling import fit_temperature, smoothed_nll
from dogid.model.head import Head
from dogid_convert.support import interruption
from dogid_convert.training.group_folds import ALWAYS_TRAINED
from dogid_convert.training.head import Floats, apply_temperature

SOFTMAX, LDA = "softmax", "lda"
_L2 = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0)
"""The strongest first, since each fit begins where the one before ended. Weaker ones take longer, and have been best
only for a few dozen photos a label, which nearly all candidates separate alike."""
_SHRINKAGE = (0.1, 0.3, 0.5, 0.7, 0.9)
_UNSEEN_LOGIT = -10.0
"""The logit of a label without photos, of which early stopping can leave none: not impossible, but never the answer."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to fit a head."""

    kind: str
    """`SOFTMAX` or `LDA`."""
    strength: float
    """The weight of L2 (see `fit_softmax`), or the shrinkage of LDA (0..1). The higher, the simpler the head."""

    @property
    def name(self) -> str:
        """As people read it."""
        return f"softmax layer, L2 {self.strength:g}" if self.kind == SOFTMAX else f"LDA, shrinkage {self.strength:g}"


CANDIDATES = (*(Candidate(SOFTMAX, l2) for l2 in _L2), *(Candidate(LDA, part) for part in _SHRINKAGE))
UNPROVED = Candidate(SOFTMAX, 100.0)
"""The candidate where there are too few photos to compare."""


@dataclass(frozen=True, slots=True)
class EmbeddedPhotos:
    """What a head is fitted to."""

    embeddings: Floats
    """[photos, 1 + augmentations, width]; [:, 0] are of the photos as they are, and the only ones to judge by."""
    labels: NDArray[np.integer]
    """[photos], indices below label_count."""
    sample_weight: Floats
    """[photos], how much each counts."""
    label_count: int

    def select(self, chosen: NDArray[np.bool_]) -> "EmbeddedPhotos":
        """Return the photos of a mask [photos]."""
        return EmbeddedPhotos(
            self.embeddings[chosen], self.labels[chosen], self.sample_weight[chosen], self.label_count
        )


@dataclass(frozen=True, slots=True)
class ChosenHead:
    """The head, and how it was chosen."""

    head: Head
    """Fitted to all photos, without temperature."""
    candidate: Candidate
    temperature: float
    """Of the candidate's logits on the folds; 1 where nothing was judged."""
    losses: tuple[float, ...]
    """Of the candidates on the folds, in nats after temperature scaling; empty where nothing was judged."""
    judged: NDArray[np.bool_]
    """[photos], which ones are in a fold."""
    logits: Floats
    """[judged photos, labels], without temperature: by a head that was not fitted to the photo's fold, of the candidate
    that is best on the other folds. So it may be evaluated as it is."""
    temperatures: Matrix
    """[judged photos], fitted to the other folds."""

    @property
    def calibrated(self) -> Head:
        """The head with its temperature."""
        return apply_temperature(self.head, self.temperature)


def choose_head(photos: EmbeddedPhotos, folds: NDArray[np.intp]) -> ChosenHead:
    """Return the head that does best on photos it was not fitted to.

    folds [photos] are those of `deal_folds`: every label occurs outside each. Where photos are in fewer than two folds,
    the candidate is `UNPROVED`.
    """
    judged = folds != ALWAYS_TRAINED
    if len(np.unique(folds[judged])) < 2:
        return ChosenHead(
            head=fit_head(photos, UNPROVED),
            candidate=UNPROVED,
            temperature=1.0,
            losses=(),
            judged=np.zeros_like(judged),
            logits=np.zeros((0, photos.label_count), np.float32),
            temperatures=np.zeros(0),
        )
    numbers = np.unique(folds[judged])
    logits = _cross_validate(photos, folds, numbers)[:, judged]
    labels, folds = photos.labels[judged], folds[judged]
    best, temperature, losses = _find_best(logits, labels)
    honest, temperatures = np.empty(logits.shape[1:], np.float32), np.empty(len(labels))
    for number in numbers:
        inside, others = folds == number, folds != number
        chosen, temperatures[inside], _ = _find_best(logits[:, others], labels[others])
        honest[inside] = logits[chosen, inside]
    candidate = CANDIDATES[best]
    return ChosenHead(fit_head(photos, candidate), candidate, temperature, losses, judged, honest, temperatures)


def fit_head(photos: EmbeddedPhotos, candidate: Candidate) -> Head:
    """Return the head of one candidate, fitted to all the photos."""
    (head,) = _fit_all(photos, (candidate,))
    return head


def _find_best(logits: Floats, labels: NDArray[np.integer]) -> tuple[int, float, tuple[float, ...]]:
    """Return the best candidate's index, its temperature, and all losses, given logits [candidates, photos, labels]."""
    temperatures = [fit_temperature(of_one, labels) for of_one in logits]
    losses = [smoothed_nll(of_one / divisor, labels) for of_one, divisor in zip(logits, temperatures, strict=True)]
    best = int(np.argmin(losses))
    return best, temperatures[best], tuple(losses)


def _cross_validate(photos: EmbeddedPhotos, folds: NDArray[np.intp], numbers: NDArray[np.intp]) -> Floats:
    """Return logits [candidates, photos, labels] by heads fitted without the photo's fold."""
    logits = np.zeros((len(CANDIDATES), len(folds), photos.label_count), np.float32)
    for number in numbers:
        inside = folds == number
        for index, head in enumerate(_fit_all(photos.select(~inside), CANDIDATES)):
            logits[index, inside] = head.logits(photos.embeddings[inside, 0])
    return logits


def _fit_all(photos: EmbeddedPhotos, candidates: tuple[Candidate, ...]) -> Iterator[Head]:
    """Yield the head of each candidate."""
    copies = photos.embeddings.shape[1]
    samples = photos.embeddings.reshape(-1, photos.embeddings.shape[2])
    seen, labels = np.unique(np.repeat(photos.labels, copies), return_inverse=True)
    # copies of a photo share its weight: they are no further evidence, so L2 must not count for less
    sample_weight = np.repeat(photos.sample_weight, copies).astype(np.float64) / copies
    standardisation = Standardisation.fit(samples)
    inputs = standardisation.apply(samples)
    covariance: PooledCovariance | None = None
    fitted = np.zeros((inputs.shape[1], len(seen))), np.zeros(len(seen))
    for candidate in candidates:
        interruption.check()
        if candidate.kind == SOFTMAX:
            fitted = fit_softmax(inputs, labels, sample_weight, candidate.strength, fitted, interruption.check)
            weights_of_seen, biases_of_seen = fitted
        else:
            covariance = covariance or PooledCovariance.measure(inputs, labels, sample_weight, len(seen))
            weights_of_seen, biases_of_seen = covariance.fit_lda(candidate.strength)
        weights = np.zeros((inputs.shape[1], photos.label_count))
        biases = np.full(photos.label_count, _UNSEEN_LOGIT)
        weights[:, seen], biases[seen] = weights_of_seen, biases_of_seen
        folded, folded_biases = standardisation.fold(weights, biases)
        yield Head(folded.T.astype(np.float32), folded_biases.astype(np.float32))
