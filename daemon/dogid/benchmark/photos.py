"""The photos to measure with: synthetic ones of three sizes, or the user's own."""

import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dogid.errors import PhotoError, UsageError
from dogid.file_names import quote_for_shell, shown_name
from dogid.inbox.scan import scan
from dogid.photo.decode import decode

SIZES = (("0.3 MP", 640, 480, 48), ("2 MP", 1632, 1224, 8), ("12 MP", 4000, 3000, 3))
"""Name, width, height, count."""

_MAX_PHOTOS = 100  # of a folder; raising it takes longer and changes the medians little
_MAX_BYTES = 300_000_000  # of all photos together: they are copied
_COARSE = 20  # pixels that one random value spans
_NOISE = 6.0  # standard deviation, in levels: without noise a JPEG is far smaller than a camera's, and decodes faster
_TILE = 256  # pixels; the noise repeats, as drawing it for 12 MP would take seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """Photos of one size, as encoded files."""

    name: str
    photos: tuple[bytes, ...]

    @property
    def mean_bytes(self) -> int:
        """The mean size of a file."""
        return sum(map(len, self.photos)) // len(self.photos)


def synthetic_samples() -> list[Sample]:
    """Return synthetic photos of each size, distinct, and the same on every machine."""
    return [
        Sample(name, tuple(_synthetic_photo(seed, width, height) for seed in range(count)))
        for name, width, height, count in SIZES
    ]


def folder_sample(folder: Path, max_bytes: int) -> Sample:
    """Read at most 100 photos of a folder, of at most max_bytes bytes each.

    Raise UsageError where it is not a folder, or contains no photo that can be decoded.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: not a folder; give a folder with photos, or no --photos for synthetic ones")
    photos = tuple(itertools.islice(_limit_bytes(_decodable(folder, max_bytes)), _MAX_PHOTOS))
    if not photos:
        raise UsageError(
            f"{folder}: contains no photo that can be decoded; try: dogid classify {quote_for_shell(folder)}"
        )
    return Sample(shown_name(os.fsencode(folder)), photos)


def _decodable(folder: Path, max_bytes: int) -> Iterator[bytes]:
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
            continue  # `dogid classify` shows the reason
        yield data


def _limit_bytes(photos: Iterator[bytes]) -> Iterator[bytes]:
    left = _MAX_BYTES
    for data in photos:
        left -= len(data)
        if left < 0:
            return
        yield data


def _synthetic_photo(seed: int, width: int, height: int) -> bytes:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // _COARSE + 1, width // _COARSE + 1, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    tile = random.normal(0, _NOISE, (_TILE, _TILE, 3)).astype(np.int16)
    noise = np.tile(tile, (height // _TILE + 1, width // _TILE + 1, 1))[:height, :width]
    stream = io.BytesIO()
    Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()
