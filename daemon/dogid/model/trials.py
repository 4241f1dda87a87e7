"""Trying the usual normalisations on photos whose labels are known: which of them does a model want?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from dogid.evaluation.intervals import mcnemar
from dogid.model.classifier import Classifier, Model
from dogid.model.input_tensor import AS_THEY_ARE
from dogid.model.output_scores import Scores
from dogid.photo.pixels import Pixels
from dogid.preprocessing import BGR, GREY, RGB, USUAL, KnownNormalisation, Origin

_SURE = 0.05
"""Probability, at most, that the present normalisation is as good as the one that is suggested. Raising it suggests
normalisations by chance, lowering it needs more photos."""

_LEAST_SCORE = 1e-6  # a score of 0 would outweigh all other photos


@dataclass(frozen=True, slots=True)
class Trial:
    """A model's answers under one normalisation."""

    normalisation: str
    """As the setting of this name takes it; empty where it is the model's own."""
    channels: str
    """RGB, BGR or GREY."""
    is_present: bool
    """Whether the model is fed so without a setting."""
    scores: tuple[Scores, ...]
    """Probabilities [labels] of each photo."""
    hits: tuple[bool, ...]
    """Whether each photo's best label is the right one; False where that is not known."""
    fit: float
    """Mean logarithm of the right labels' scores: higher is better."""

    @property
    def name(self) -> str:
        """The normalisation and the order of colours, for people."""
        return f"{self.normalisation or AS_THEY_ARE} {self.channels}"

    @property
    def flags(self) -> str:
        """The flags that set it."""
        normalisation = f"--normalisation={self.normalisation}" if self.normalisation else ""
        return " ".join([normalisation, "--channels bgr" if self.channels == BGR else ""]).strip()


def try_normalisations(model: Model, photos: Sequence[Pixels], truth: Sequence[int | None]) -> list[Trial]:
    """Classify photos under each usual normalisation and order of colours; return the trials, the best one first.

    photos are [height, width, 3] in the model's size; truth has the number of each one's label, None where it is not
    known. A trial whose pixels become the same as another's is left out.
    """
    trials = [_try(way, photos, truth) for way in _classifiers(model)]
    is_known = model.input.origin is not Origin.GUESSED

    def rank(trial: Trial) -> tuple[float, ...]:
        # of equal ones a known one comes first, then they come in the order of _classifiers: sorting is stable
        doubted = not (trial.is_present and is_known)
        return -sum(trial.hits), doubted, -round(trial.fit, 1), not trial.is_present

    return sorted(trials, key=rank)


def find_better(trials: Sequence[Trial]) -> Trial | None:
    """Given the trials of a model, return the one that is surely better than the present one; None where none is."""
    present = next((trial for trial in trials if trial.is_present), None)
    best = trials[0]
    if present is None or best is present or sum(best.hits) <= sum(present.hits):
        return None
    difference = mcnemar(np.array(present.hits), np.array(best.hits))
    return best if difference.p_value < _SURE else None


def find_ties(trials: Sequence[Trial]) -> list[Trial]:
    """Given the trials of a model, return those with as many right answers as the best one."""
    best, *others = trials
    return [trial for trial in others if sum(trial.hits) == sum(best.hits)]


def describe_better(trials: Sequence[Trial]) -> str | None:
    """Given the trials of a model, return what to set where another normalisation is surely better; else None."""
    better = find_better(trials)
    if better is None:
        return None
    present = next(trial for trial in trials if trial.is_present)
    return (
        f"normalisation {better.name} answers {sum(better.hits)} of {len(better.hits)} photos right, {present.name} "
        f"{sum(present.hits)}: set {better.flags}"
    )


class _Way(NamedTuple):
    """A way to feed a model."""

    classifier: Classifier
    is_present: bool


def _classifiers(model: Model) -> Iterator[_Way]:
    """Yield a classifier for each way to feed a model that differs from those before it; the present one first."""
    own = model.classifier()
    present = _pixels_of(own)
    seen = {present}
    yield _Way(own, is_present=True)
    for channels in (GREY,) if model.input.channels == GREY else (RGB, BGR):
        order = None if channels == GREY else channels
        for usual in USUAL.values():
            set_so = KnownNormalisation(usual, Origin.SET, "tried")
            classifier = Classifier(replace(model.file, normalisation=set_so, channels=order), model.backend)
            fed = _pixels_of(classifier)
            if fed in seen:
                continue
            seen.add(fed)
            yield _Way(classifier, is_present=False)


def _pixels_of(classifier: Classifier) -> bytes:
    """What a small image becomes: the same bytes for normalisations that feed the same."""
    ramp = np.arange(256, dtype=np.uint8)
    return classifier.encode(np.stack([ramp, ramp[::-1], np.roll(ramp, 64)], axis=-1)[np.newaxis]).tobytes()


def _try(way: _Way, photos: Sequence[Pixels], truth: Sequence[int | None]) -> Trial:
    classifier = way.classifier
    scores = tuple(_classify(classifier, photo) for photo in photos)
    hits = tuple(
        label is not None and int(answer.argmax()) == label for answer, label in zip(scores, truth, strict=True)
    )
    right = [float(answer[label]) for answer, label in zip(scores, truth, strict=True) if label is not None]
    fit = float(np.log(np.maximum(right, _LEAST_SCORE)).mean()) if right else 0.0
    kind = classifier.input_kind
    return Trial(kind.setting, kind.channels, way.is_present, scores, hits, fit)


def _classify(classifier: Classifier, photo: Pixels) -> Scores:
    try:
        return classifier.classify(photo)
    except RuntimeError:  # values that the network was not made for may become NaN
        return np.zeros(len(classifier.labels), np.float32)
