"""The known photo by which a model, and later every worker, shows that it still answers rightly."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dogid.model.classifier import Classifier, Model, self_test
from dogid.model.model_file import GoldenPhoto
from dogid.photo.decode import decode

_TOLERANCE = 1e-4  # between two runs of the same interpreter on the same processor


@dataclass(frozen=True, slots=True)
class Reference:
    """A photo, and the answer that is expected of it."""

    known: GoldenPhoto
    is_golden: bool
    """Whether the model carries photo and answer; if not, the answer is its own first one and proves less."""

    def deviation(self, classifier: Classifier) -> str | None:
        """Classify the photo; return how the answer differs from the expected one, or None if it does not."""
        return self_test(classifier, self.known)


def reference_for(model: Model) -> Reference:
    """Return the golden photo that the model carries, or else a picture of ours with the model's own answer of now."""
    golden = model.file.golden
    if golden is not None:
        return Reference(golden, is_golden=True)
    classifier = model.classifier()
    photo = _picture(classifier.size)
    scores = classifier.classify(decode(photo, classifier.size).pixels)
    return Reference(GoldenPhoto(photo, tuple(map(float, scores)), _TOLERANCE), is_golden=False)


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
