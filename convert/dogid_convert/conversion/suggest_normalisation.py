"""Whether labelled photos show that the normalisation which was guessed for a graph is not the one that it wants."""

import numpy as np

from dogid.dataset.label_matching import match_labels
from dogid.evaluation.intervals import mcnemar
from dogid.preprocessing import MINUS_1_TO_1, ZERO_TO_1, ZERO_TO_255
from dogid_convert.conversion.photo_sets import PhotoFolder, decode_photos
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.support.progress import Track
from dogid_convert.tflite import run

_PHOTOS = 100
"""Evenly from the folder; more take longer and hardly change which normalisation fits."""

_SURE = 0.05  # probability, at most, that the guess is as good


def suggest_normalisation(
    model: bytes,
    labels: tuple[str, ...],
    guess: UniformNormalisation,
    folder: PhotoFolder,
    size: tuple[int, int],
    track: Track,
) -> str | None:
    """Given a float `.tflite`, return what to set where another usual normalisation is surely better; else None."""
    places = match_labels(folder.labels, labels)
    known = [photo for photo in folder.photos if folder.labels and places[photo.label] is not None]
    if not known:
        return None
    photos = decode_photos(known[:: -(-len(known) // _PHOTOS)], size, track, "decoding")
    truth = np.array([places[photo.label] for photo in photos.photos], dtype=np.int64)

    def find_hits(normalisation: UniformNormalisation) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        classifier = run.make_classifier(model, labels, normalisation)
        answers = run.predict(classifier, photos.pixels, track, "trying normalisations")
        hits: np.ndarray[tuple[int], np.dtype[np.bool_]] = answers.argmax(axis=1) == truth
        return hits

    by_guess = find_hits(guess)
    others = [UniformNormalisation(n.mean[0], n.std[0], n.setting) for n in (MINUS_1_TO_1, ZERO_TO_1, ZERO_TO_255)]
    hits = {other: find_hits(other) for other in others if (other.mean, other.std) != (guess.mean, guess.std)}
    best = max(hits, key=lambda other: int(hits[other].sum()))
    better = hits[best].sum() > by_guess.sum() and mcnemar(by_guess, hits[best]).p_value < _SURE
    if not better:
        return None
    return (
        f"the normalisation is guessed, and pixels of {best.reason} give {int(hits[best].sum())} of {len(truth)} "
        f"right, the guess {int(by_guess.sum())}: convert again with --mean {best.mean:g} --std {best.std:g}"
    )
