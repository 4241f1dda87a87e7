"""Whether a model would answer better under another of the usual normalisations than the one that was guessed."""

from dogid.dataset.label_matching import match_labels
from dogid.dataset.labelled_photos import Dataset
from dogid.errors import PhotoError
from dogid.judging.photo_reader import PhotoReader
from dogid.model.classifier import Model
from dogid.model.trials import describe_better, try_normalisations
from dogid.photo.pixels import Pixels
from dogid.preprocessing import Origin

_PHOTOS = 100
"""Evenly from the data set; more take longer and hardly change which normalisation fits."""


def suggest_normalisation(model: Model, dataset: Dataset, reader: PhotoReader) -> str | None:
    """Return what to set, where photos with labels show that the guess is wrong; None where it is none, or right."""
    if model.input.origin is not Origin.GUESSED:
        return None
    places = match_labels(dataset.labels, model.labels)
    photos = [photo for photo in dataset.photos if places[photo.label] is not None]
    pixels: list[Pixels] = []
    truth: list[int | None] = []
    for photo in photos[:: max(-(-len(photos) // _PHOTOS), 1)]:
        try:
            pixels.append(reader.decode(photo, model.size).pixels)
        except (OSError, PhotoError):
            continue  # reported where all photos are classified
        truth.append(places[photo.label])
    return describe_better(try_normalisations(model, pixels, truth)) if pixels else None
