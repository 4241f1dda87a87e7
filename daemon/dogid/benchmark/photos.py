"""Photos to measure with: made ones of three sizes, or the user's own."""

import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dogid.errors import PhotoError, UsageError
from dogid.file_names import shown_name
from dogid.inbox.scan import scan
from dogid.photo.decode import decode

SIZES = (("0.3 MP", 640, 480, 48), ("2 MP", 1632, 1224, 8), ("12 MP", 4000, 3000, 3))
"""Name, width, height, how many are made."""

_MOST_PHOTOS = 100
_MOST_BYTES = 300_000_000  # of all photos together: they are copied
_COARSE = 20  # pixels of a made photo that one value of its picture spans
_NOISE = 6.0  # a sensor's, in levels: without it a JPEG would be far smaller than a camera's, and quicker to decode
_TILE = 256


@dataclass(frozen=True, slots=True)
class Sample:
    """Photos of one kind, as files' bytes."""

    name: str
    photos: tuple[bytes, ...]

    @property
    def mean_bytes(self) -> int:
        """Of a photo."""
        return sum(map(len, self.photos)) // len(self.photos)


def made_samples() -> list[Sample]:
    """Make photos of distinct contents, the same everywhere."""
    return [
        Sample(name, tuple(_made(seed, width, height) for seed in range(count))) for name, width, height, count in SIZES
    ]


def own_sample(folder: Path, max_bytes: int) -> Sample:
    """Read the photos of a folder, at most 100. Raise UsageError where it is none, or holds none that decode."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder; --photos DIR takes one with photos, and without it some are made")
    photos = tuple(itertools.islice(_limited(_readable(folder, max_bytes)), _MOST_PHOTOS))
    if not photos:
        raise UsageError(f"{folder}: holds no photo that can be decoded; try: dogid classify {folder}")
    return Sample(shown_name(os.fsencode(folder)), photos)


def _readable(folder: Path, max_bytes: int) -> Iterator[bytes]:
    try:
        found = sorted(scan(folder))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from error
    for file in found:
        if file.version.size > max_bytes:
            continue
        try:
            data = (folder / os.fsdecode(file.path)).read_bytes()
            decode(data, (32, 32))
        except (OSError, PhotoError):
            continue  # `dogid classify` tells why; here only the good ones count
        yield data


def _limited(photos: Iterator[bytes]) -> Iterator[bytes]:
    left = _MOST_BYTES
    for data in photos:
        left -= len(data)
        if left < 0:
            return
        yield data


def _made(seed: int, width: int, height: int) -> bytes:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // _COARSE + 1, width // _COARSE + 1, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    tile = random.normal(0, _NOISE, (_TILE, _TILE, 3)).astype(np.int16)
    noise = np.tile(tile, (height // _TILE + 1, width // _TILE + 1, 1))[:height, :width]
    stream = io.BytesIO()
    Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()
