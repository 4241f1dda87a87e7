"""What decoding small costs in accuracy: the daemon's pixels against those of photos that are decoded whole."""

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dogid.model.classifier import Model
from dogid.photo.decode import decode
from dogid.photo.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Accuracy:
    """On labelled photos, in percent."""

    photos: int
    top1_small: float
    top1_whole: float
    probability_small: float
    """Mean, of the right label."""
    probability_whole: float

    @property
    def top1_change(self) -> float:
        """Points; negative where decoding small is worse."""
        return self.top1_small - self.top1_whole

    @property
    def probability_change(self) -> float:
        """Points."""
        return self.probability_small - self.probability_whole


def accuracy(model: Model, photos: Path, every: int) -> Accuracy:
    """Classify every so-manieth photo of the labelled folders in photos, both ways."""
    paths = [path for path in sorted(photos.glob("*/*.jpg")) if path.parent.name in model.labels][::every]
    with ThreadPoolExecutor(2) as pool:
        small, whole = pool.map(lambda pixels: _scores(model, paths, pixels), (_small, _whole))
    truth = np.array([model.labels.index(path.parent.name) for path in paths])

    def top1(scores: Pixels) -> float:
        return float((scores.argmax(axis=1) == truth).mean() * 100)

    def probability(scores: Pixels) -> float:
        return float(scores[np.arange(len(truth)), truth].mean() * 100)

    return Accuracy(len(paths), top1(small), top1(whole), probability(small), probability(whole))


def _scores(model: Model, paths: Sequence[Path], pixels: Callable[[bytes, tuple[int, int]], Pixels]) -> Pixels:
    classifier = model.classifier()
    return np.stack([classifier.classify(pixels(path.read_bytes(), model.size)) for path in paths])


def _small(data: bytes, size: tuple[int, int]) -> Pixels:
    return decode(data, size).pixels


def _whole(data: bytes, size: tuple[int, int]) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image.convert("RGB") if image.mode != "RGB" else image)
        return np.asarray(upright.resize(size, Image.Resampling.BILINEAR))
