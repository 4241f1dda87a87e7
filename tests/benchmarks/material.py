"""Photos of distinct contents in three sizes, made for each run.

A JPEG's decoding costs what its entropy costs: the photos are crops of real ones where the collection is beside the
clone (tests/support/collection.py), else textures with a photo's spectrum. A sensor's noise lies over them, so that
they have about as many bytes a pixel as a camera's.
"""

import itertools
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.support.collection import PHOTOS

_QUALITY = 92
_NOISE = 6.0  # of a small sensor at ISO 200-400, in levels
_TILE = 256
_TEXTURE_SIDE = 512


@dataclass(frozen=True, slots=True)
class Kind:
    """A size of photo, and how many of it are made."""

    name: str
    width: int
    height: int
    count: int

    @property
    def megapixels(self) -> float:
        """Of one photo."""
        return self.width * self.height / 1e6


KINDS = (Kind("0.3", 640, 480, 1600), Kind("2", 1632, 1224, 900), Kind("12", 4000, 3000, 260))
"""A webcam's, a surveillance camera's, a telephone's."""


@dataclass(frozen=True, slots=True)
class Material:
    """The photos of one kind."""

    kind: Kind
    paths: tuple[Path, ...]

    @property
    def mean_bytes(self) -> float:
        """Of a file."""
        return sum(path.stat().st_size for path in self.paths) / len(self.paths)


def source() -> str:
    """Where the pictures come from, for the report."""
    return "real photos, scaled, with sensor noise" if sources() else "made textures with sensor noise"


def sources() -> list[Path]:
    """The collection's photos, none where it is not there."""
    return sorted(PHOTOS.rglob("*.jpg"))[::3] if PHOTOS.is_dir() else []


def make(folder: Path, kinds: Sequence[Kind] = KINDS) -> list[Material]:
    """Make the photos in folder (what is there already is kept), on all cores."""
    made = []
    context = get_context("spawn")  # the caller may have threads
    with ProcessPoolExecutor(mp_context=context) as pool:
        for kind in kinds:
            place = folder / kind.name
            place.mkdir(parents=True, exist_ok=True)
            paths = [place / f"{number:05}.jpg" for number in range(kind.count)]
            missing = [number for number, path in enumerate(paths) if not path.exists()]
            arguments = itertools.repeat(place), itertools.repeat(kind), missing
            list(pool.map(_write, *arguments, chunksize=4))
            made.append(Material(kind, tuple(paths)))
    return made


def _write(folder: Path, kind: Kind, number: int) -> None:
    photo = _photo(number, kind)
    path = folder / f"{number:05}.jpg"
    new = path.with_suffix(".new")
    photo.save(new, "JPEG", quality=_QUALITY)
    new.replace(path)


def _photo(number: int, kind: Kind) -> Image.Image:
    """Another picture for each number: another crop of a source, mirrored or not, with other noise."""
    random = np.random.default_rng(number)
    real = sources()
    if real:
        with Image.open(real[number % len(real)]) as opened:
            picture = opened.convert("RGB")
    else:
        picture = _texture(random)
    margin = random.uniform(0, 0.15, 4)
    width, height = picture.size
    box = (margin[0] * width, margin[1] * height, (1 - margin[2]) * width, (1 - margin[3]) * height)
    picture = picture.resize((kind.width, kind.height), Image.Resampling.BICUBIC, box=box)
    if number % 2:
        picture = ImageOps.mirror(picture)
    return Image.fromarray(_with_noise(np.asarray(picture), random))


def _with_noise(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    tile = random.normal(0, _NOISE, (_TILE, _TILE, 3)).astype(np.int16)
    height, width, _ = pixels.shape
    repeats = (-(-height // _TILE), -(-width // _TILE), 1)
    noisy = pixels + np.tile(tile, repeats)[:height, :width]
    return noisy.clip(0, 255, out=noisy).astype(np.uint8)


def _texture(random: np.random.Generator) -> Image.Image:
    """Noise whose power falls with the square of the frequency, as that of natural scenes does (Field, 1987)."""
    side = _TEXTURE_SIDE
    frequency = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side)[np.newaxis])
    frequency[0, 0] = 1.0
    channels = []
    for _ in range(3):
        phases = np.exp(2j * np.pi * random.random(frequency.shape))
        values = np.fft.irfft2(phases / frequency, s=(side, side))
        channels.append((values / values.std() * 50 + 120).clip(0, 255).astype(np.uint8))
    return Image.fromarray(np.stack(channels, axis=-1))
