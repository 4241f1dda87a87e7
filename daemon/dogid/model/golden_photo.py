"""Making the golden photo: a generated image whose scores are known, for the daemon's self-test."""

import hashlib
import io
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dogid.model.model_record import GoldenPhoto

GOLDEN_FILE = "golden.png"

_LEAST_TOLERANCE = 0.05  # of a score; raising it passes damaged models, lowering it fails sound ones elsewhere
_SAFETY = 3  # times the difference measured here, since kernels of other processors round differently again
_SEEDS = 64  # images that are tried; raising it finds a better one, and takes longer
_CANDIDATES = 16  # of them, the least sure ones, which are also run by the other kernels
_GRIDS = ((3, 0.5), (7, 0.3), (28, 0.2))  # cells a side and weight: large shapes with finer ones on them

Pixels: TypeAlias = NDArray[np.uint8]
Classify: TypeAlias = Callable[[Pixels], NDArray[np.float32]]


def make_golden(size: tuple[int, int], classify: Classify, with_other_kernels: Classify) -> GoldenPhoto:
    """Return a generated image about which the model is unsure, so that damage moves its answer.

    classify and with_other_kernels run the same model by different kernels. Three times the difference of their scores
    is an image's tolerance. Of the images about which the model is least sure, the one with the most doubt in relation
    to its tolerance is returned.
    """
    images = [generate_image(size, seed) for seed in range(_SEEDS)]
    answers = [classify(image) for image in images]
    unsure = sorted(range(_SEEDS), key=lambda seed: float(answers[seed].max()))[:_CANDIDATES]
    moved = {seed: float(np.abs(with_other_kernels(images[seed]) - answers[seed]).max()) for seed in unsure}
    tolerances = {seed: max(_LEAST_TOLERANCE, _SAFETY * moved[seed]) for seed in unsure}
    best = max(unsure, key=lambda seed: (1 - float(answers[seed].max())) / tolerances[seed])
    return GoldenPhoto(
        data=_encode_png(images[best]),
        scores=tuple(round(float(score), 6) for score in answers[best]),
        tolerance=round(tolerances[best], 3),
    )


def generate_image(size: tuple[int, int], seed: int) -> Pixels:
    """Return squares of several sizes [height, width, 3]: by a formula with the same result on all processors."""
    width, height = size
    total = np.zeros((height, width, 3))
    for cells, weight in _GRIDS:
        colours = weight * _make_colours(f"{seed}/{cells}", cells * cells * 3).reshape(cells, cells, 3)
        rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
        total += colours[:, columns][rows]
    return total.astype(np.uint8)


def _make_colours(key: str, count: int) -> NDArray[np.uint8]:
    blocks = (hashlib.sha256(f"{key}/{i}".encode()).digest() for i in range(-(-count // 32)))
    return np.frombuffer(b"".join(blocks)[:count], dtype=np.uint8)


def _encode_png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=9)
    return file.getvalue()
