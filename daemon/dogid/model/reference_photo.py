"""The reference photo: each worker classifies it again and again, and its scores must stay the expected ones."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dogid.errors import UsageError
from dogid.model.classifier import Classifier, Model, find_deviation
from dogid.model.model_record import GoldenPhoto
from dogid.photo.decode import decode

_TOLERANCE = 1e-4  # between two runs of the same interpreter on the same processor


@dataclass(frozen=True, slots=True)
class ReferencePhoto:
    """A photo with the scores that are expected of it: the model's golden photo, or one made here."""

    photo: GoldenPhoto
    is_golden: bool
    """Whether the model carries it; if not, the expected scores are the model's own first ones and prove less."""

    def find_deviation(self, classifier: Classifier) -> str | None:
        """Classify the photo; return how the scores differ from the expected ones, or None if they do not."""
        return find_deviation(classifier, self.photo)


def make_reference_photo(model: Model) -> ReferencePhoto:
    """Return the golden photo that the model carries, or else a generated one with the model's present scores."""
    golden = model.file.golden
    if golden is not None:
        return ReferencePhoto(golden, is_golden=True)
    classifier = model.classifier()
    photo = _picture(classifier.size)
    try:
        scores = classifier.classify(decode(photo, classifier.size).pixels)
    except RuntimeError as error:
        raise UsageError(f"{model.file.path}: {error} for an ordinary image; export it again") from error
    return ReferencePhoto(GoldenPhoto(photo, tuple(map(float, scores)), _TOLERANCE), is_golden=False)


def _picture(size: tuple[int, int]) -> bytes:
    """A PNG [height, width, 3] of two gradients: lossless, so that it decodes alike everywhere."""
    width, height = size
    across = np.linspace(0, 255, width, dtype=np.uint8)
    down = np.linspace(0, 255, height, dtype=np.uint8)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 2] = across, down[:, np.newaxis], 128
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
