"""A guessed normalisation is compared with others by the model's answers to test pictures, as the daemon does it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dogid.model.likely_normalisation import find_likely, make_test_pictures
from dogid.preprocessing import Normalisation
from dogid_convert.graph.normalisation import UniformNormalisation

Predict = Callable[[UniformNormalisation, NDArray[np.uint8]], NDArray[np.float32]]
"""Returns the probabilities [photos, classes] of pixels [photos, height, width, 3] under a normalisation."""


def improve_guess(guess: UniformNormalisation, size: tuple[int, int], predict: Predict) -> UniformNormalisation:
    """Return a likelier normalisation where guess is one, and gives one answer to everything; else guess itself.

    size is (width, height) of the model's images.
    """
    if not guess.is_guess:
        return guess
    pictures = np.stack(make_test_pictures(size))

    def classify(normalisation: Normalisation) -> list[NDArray[np.float32]]:
        tried = UniformNormalisation(normalisation.mean[0], normalisation.std[0], "tried")
        return list(predict(tried, pictures))

    try:
        likely = find_likely(Normalisation((guess.mean,), (guess.std,)), classify)
    except RuntimeError:  # NaN
        return guess
    if likely is None:
        return guess
    mean, std = likely.normalisation.mean[0], likely.normalisation.std[0]
    return UniformNormalisation(mean, std, f"{likely.reason}; --mean and --std change it", is_guess=True)
