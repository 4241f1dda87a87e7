"""A likelier guess of a model's normalisation, where the usual guess cannot be right by the model's own answers.

A network that is fed values of far too small or too large a range gives one answer to whatever it sees. Where the usual
guess has this effect on test pictures, and another range has not, that other one is the better guess. It stays a guess:
with a third range, the same network may give other answers still.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.model.output_scores import Scores, generate_images
from dogid.photo.pixels import Pixels
from dogid.preprocessing import MINUS_1_TO_1, ZERO_TO_1, ZERO_TO_255, KnownNormalisation, Normalisation, Origin

_RANGES = (MINUS_1_TO_1, ZERO_TO_1, ZERO_TO_255)

_ONE_ANSWER = 1e-3
"""Scores that differ by less than this over all pictures are one answer. Raising it takes networks that are merely sure
of themselves for wrongly fed ones (of random two- to five-label heads on a MobileNet, fed rightly, 0.7 % with sharp and
none with ordinary ones), lowering it misses networks in which a little of the pictures gets through."""

_LEAST_INFORMATION = 0.1
"""Nats of a picture that its answer must show, on average, for a range to be preferred. Raising it keeps the usual
guess more often, lowering it follows answers that hardly differ."""

_LEAST = 1e-9  # the logarithm of 0


def make_test_pictures(size: tuple[int, int]) -> list[Pixels]:
    """Return pictures [height, width, 3] that differ in content: without black and white, which any range shows."""
    _, grey, _, *others = generate_images(size)
    return [grey, *others]


def find_likely(
    guess: Normalisation, classify: Callable[[Normalisation], Sequence[Scores]]
) -> KnownNormalisation | None:
    """Return a likelier normalisation than the guess; None where the guess is as likely as any.

    classify returns the scores [labels] of each of the same few pictures, fed by the normalisation it is given.
    """
    if not _is_one_answer(np.array(classify(guess))):
        return None
    informative = {}
    for other in _RANGES:
        if other != guess:
            informative[other] = _measure_information(np.array(classify(other)))
    best = max(informative, key=lambda other: informative[other])
    if informative[best] < _LEAST_INFORMATION:
        return None
    reason = f"unchecked: the file does not define it, and with {guess.setting} every test picture gets the same answer"
    return KnownNormalisation(best, Origin.GUESSED, reason)


def _is_one_answer(scores: NDArray[np.float32]) -> bool:
    return bool(np.ptp(scores, axis=0).max() < _ONE_ANSWER)


def _measure_information(scores: NDArray[np.float32]) -> float:
    """Return the mutual information, in nats, of pictures and labels by scores [pictures, labels]."""
    if not np.isfinite(scores).all():
        return 0.0
    return float(_entropy(scores.mean(axis=0)) - _entropy(scores).mean())


def _entropy(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    likely = np.maximum(scores.astype(np.float64), _LEAST)
    return np.asarray(-(likely * np.log(likely)).sum(axis=-1))
