"""Photos made for a test: each seed another picture, the same everywhere."""

import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 320
_SMALL_PIXELS = 500_000


def picture(seed: int, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """Given a seed, return a picture of coloured gradients, patches and a little noise."""
    random = np.random.default_rng(seed)
    width, height = size
    across = np.linspace(0, 1, width)[np.newaxis, :, np.newaxis]
    down = np.linspace(0, 1, height)[:, np.newaxis, np.newaxis]
    first, second, third = random.uniform(0, 255, (3, 3))
    pixels = first + (second - first) * across + (third - first) * down
    for _ in range(6):
        left, top = random.integers(0, width), random.integers(0, height)
        patch = pixels[top : top + height // 4 + 1, left : left + width // 4 + 1]
        patch[:] = random.uniform(0, 255, 3)
    pixels = pixels + random.normal(0, 12, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def photo(seed: int = 0, kind: str = "JPEG", size: tuple[int, int] = (SIDE, SIDE), **options: Any) -> bytes:
    """Given a seed and Pillow's name of a format or HEIC, return the bytes of a photo."""
    if options:
        return encode(picture(seed, size), kind, **options)
    return (_draw_small if size[0] * size[1] <= _SMALL_PIXELS else _draw_large)(seed, kind, size)


def _draw(seed: int, kind: str, size: tuple[int, int]) -> bytes:
    return encode(picture(seed, size), kind)


# Thousands of tests ask for the same few photos. Of large ones a few are kept, as each takes some ten megabytes.
_draw_small = functools.lru_cache(512)(_draw)
_draw_large = functools.lru_cache(4)(_draw)


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the bytes of an image in a format: Pillow's name of it, or HEIC."""
    stream = io.BytesIO()
    if kind == "HEIC":
        import pillow_heif

        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        image.save(stream, kind, **options)
    return stream.getvalue()


def put(path: Path, data: bytes) -> Path:
    """Write a file as a well-behaved program does, in one go, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def put_all(root: Path, files: dict[str, bytes]) -> Path:
    """Write files of these names inside root, and return it."""
    for name, data in files.items():
        put(root / name, data)
    return root
