"""Making the golden photo: a generated image whose scores are known, for the daemon's self-test."""

import hashlib
import io
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dogid.model.model_file import GoldenPhoto

GOLDEN_FILE = "golden.png"

_LEAST_TOLERANCE = 0.05
_SAFETY = 3  # other processors' kernels may round still differently from the two kinds that are compared here
_SEEDS = 64
_CANDIDATES = 16
_GRIDS = ((3, 0.5), (7, 0.3), (28, 0.2))  # cells a side and weight: large shapes with finer ones on them

Pixels: TypeAlias = NDArray[np.uint8]
Classify: TypeAlias = Callable[[Pixels], NDArray[np.float32]]


def make_golden(size: tuple[int, int], classify: Classify, with_other_kernels: Classify) -> GoldenPhoto:
    """Return a generated image about which the model is unsure, so that damage moves its answer.

    How far the answer depends on the kernels sets the tolerance, the two functions being the same model run by
    different ones; of the least sure images it is the one whose doubt is the largest beside its tolerance.
    """
    images = [generate_image(size, seed) for seed in range(_SEEDS)]
    answers = [classify(image) for image in images]
    unsure = sorted(range(_SEEDS), key=lambda seed: float(answers[seed].max()))[:_CANDIDATES]
    moved = {seed: float(np.abs(with_other_kernels(images[seed]) - answers[seed]).max()) for seed in unsure}
    tolerances = {seed: max(_LEAST_TOLERANCE, _SAFETY * moved[seed]) for seed in unsure}
    best = max(unsure, key=lambda seed: (1 - float(answers[seed].max())) / tolerances[seed])
    return GoldenPhoto(
        data=_png(images[best]),
        scores=tuple(round(float(score), 6) for score in answers[best]),
        tolerance=round(tolerances[best], 3),
    )


def generate_image(size: tuple[int, int], seed: int) -> Pixels:
    """Return squares of several sizes [height, width, 3]: by a formula with the same result on all processors."""
    width, height = size
    total = np.zeros((height, width, 3))
    for cells, weight in _GRIDS:
        colours = _colours(f"{seed}/{cells}", cells * cells * 3).reshape(cells, cells, 3)
        rows, columns = np.arange(height) * cells // height, np.arange(width) * cells // width
        total += weight * colours[rows][:, columns]
    return total.astype(np.uint8)


def _colours(key: str, count: int) -> NDArray[np.uint8]:
    blocks = (hashlib.sha256(f"{key}/{i}".encode()).digest() for i in range(-(-count // 32)))
    return np.frombuffer(b"".join(blocks)[:count], dtype=np.uint8)


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=9)
    return file.getvalue()
