"""WebP that is shrunk while it is decoded, by libwebp itself: 12 megapixels take 4 MB instead of 190.

Pillow always decodes a WebP as an animation, for 16 bytes a pixel, and has no way to its decoder's scaling. No binding
earns its place beside it: `webp` brings a libwebp of its own that was last released in 2024. So this calls the library
that Pillow has loaded; where that is not found, Pillow decodes.

Source: libwebp's decode.h, whose structures are fixed for a major version of its decoder's ABI, which is asked for.
"""

import ctypes
import importlib
import re
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from dogid.errors import PhotoCode, PhotoError
from dogid.photo.pixels import Pixels, check_pixels, read_orientation, turn_size
from dogid.photo.webp_header import WebpHeader

_ABI = 0x0209  # of libwebp 1.0; a library of another major version, the upper byte, refuses
_RGBA = 1  # MODE_RGBA
_NO_MEMORY, _ENDED = 1, frozenset({5, 7})  # VP8StatusCode
_MAPPED = Path("/proc/self/maps")
_NAME = re.compile(r"/libwebp(-\w+)?\.so")  # not its demultiplexer
# Sides that are left, in multiples of the wanted ones, as `shrink` leaves them by its reducing_gap: models are trained
# on that. Lowering it blurs, raising it takes memory and time.
_GAP = 2


class _Features(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("width", "height", "has_alpha", "has_animation", "format")),
        ("pad", ctypes.c_uint32 * 5),
    )


class _Rgba(ctypes.Structure):
    _fields_ = (("rgba", ctypes.c_void_p), ("stride", ctypes.c_int), ("size", ctypes.c_size_t))


class _Yuva(ctypes.Structure):
    _fields_ = (
        ("planes", ctypes.c_void_p * 4),
        ("strides", ctypes.c_int * 4),
        ("sizes", ctypes.c_size_t * 4),
    )


class _Planes(ctypes.Union):
    _fields_ = (("rgba", _Rgba), ("yuva", _Yuva))


class _Buffer(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("colorspace", "width", "height", "is_external_memory")),
        ("planes", _Planes),
        ("pad", ctypes.c_uint32 * 4),
        ("private_memory", ctypes.c_void_p),
    )


class _Options(ctypes.Structure):
    _fields_ = (
        *(
            (name, ctypes.c_int)
            for name in (
                "bypass_filtering", "no_fancy_upsampling", "use_cropping", "crop_left", "crop_top", "crop_width",
                "crop_height", "use_scaling", "scaled_width", "scaled_height", "use_threads", "dithering_strength",
                "flip", "alpha_dithering_strength",
            )
        ),
        ("pad", ctypes.c_uint32 * 5),
    )  # fmt: skip


class _Config(ctypes.Structure):
    _fields_ = (("input", _Features), ("output", _Buffer), ("options", _Options))


def is_available() -> bool:
    """Whether Pillow's libwebp can be called."""
    return _library() is not None


def decode_webp(data: bytes, header: WebpHeader, size: tuple[int, int]) -> tuple[Image.Image, int]:
    """Return a WebP of one picture, decoded to a few times size = (width, height), and the orientation left to be done.

    Raise PhotoError where libwebp gives it up or finds another size, or with `too_large` for too many pixels;
    MemoryError.
    """
    check_pixels(header.size)
    _check_size(data, header.size)
    turn = _read_turn(data, header)
    width, height = turn_size(size, turn)
    reduced = (
        _reduce(header.size[0], width),
        _reduce(header.size[1], height),
    )
    pixels = np.empty((reduced[1], reduced[0], 4), np.uint8)
    _decode(data, header.size, pixels)
    stored = "RGBA" if header.has_alpha else "RGBX"
    mode = "RGBA" if header.has_alpha else "RGB"
    image = Image.frombuffer(stored, reduced, pixels, "raw", stored, 0, 1)
    return (image if stored == mode else image.convert(mode)), turn


def _read_turn(data: bytes, header: WebpHeader) -> int:
    """Return the orientation of the EXIF or else of the XMP, by Pillow's own rule for what it has opened itself."""
    if header.exif is None and header.xmp is None:
        return 1
    opened = Image.Image()
    if header.exif is not None:
        opened.info["exif"] = data[slice(*header.exif)]
    if header.xmp is not None:
        # Searched once from end to end, at 1 GB/s, and not copied: nothing but the size of a photo limits it.
        opened.info["xmp"] = memoryview(data)[slice(*header.xmp)]
    return read_orientation(opened)


def _reduce(side: int, wanted: int) -> int:
    factor = side // (wanted * _GAP)
    return -(-side // factor) if factor > 1 else side


def _check_size(data: bytes, size: tuple[int, int]) -> None:
    """Raise PhotoError unless libwebp will decode a picture of that size: memory and limits go by it."""
    features = _Features()
    status = _loaded().WebPGetFeaturesInternal(data, len(data), ctypes.byref(features), _ABI)
    if status:
        raise _explain(status)
    if (features.width, features.height) != size:
        raise PhotoError(PhotoCode.CORRUPT, "the photo's header is damaged")


def _decode(data: bytes, size: tuple[int, int], pixels: Pixels) -> None:
    """Decode to pixels [height, width, 4], RGBA, scaled to their size."""
    library = _loaded()
    config = _Config()
    library.WebPInitDecoderConfigInternal(ctypes.byref(config), _ABI)
    height, width, channels = pixels.shape
    config.options.use_scaling = size != (width, height)
    config.options.scaled_width, config.options.scaled_height = width, height
    config.output.colorspace, config.output.is_external_memory = _RGBA, 1
    config.output.width, config.output.height = width, height
    config.output.planes.rgba = _Rgba(pixels.ctypes.data, width * channels, pixels.nbytes)
    status = library.WebPDecode(data, len(data), ctypes.byref(config))
    library.WebPFreeDecBuffer(ctypes.byref(config.output))
    if status == _NO_MEMORY:
        raise MemoryError
    if status:
        raise _explain(status)


def _explain(status: int) -> PhotoError:
    if status in _ENDED:
        return PhotoError(PhotoCode.TRUNCATED, "the photo ends early")
    return PhotoError(PhotoCode.CORRUPT, f"the photo is damaged: libwebp gives it up (status {status})")


def _loaded() -> ctypes.CDLL:
    library = _library()
    if library is None:
        raise RuntimeError("libwebp is not there")  # is_available was not asked
    return library


@cache
def _library() -> ctypes.CDLL | None:
    """Return the libwebp that Pillow has loaded; None where it is not found, or another than expected."""
    try:
        importlib.import_module("PIL._webp")
    except ModuleNotFoundError:  # any other ImportError may pass, and is not cached
        return None
    try:
        loaded = {line.split(maxsplit=5)[-1] for line in _MAPPED.read_text().splitlines() if "/libwebp" in line}
        path = next(path for path in loaded if _NAME.search(path))
        library = ctypes.CDLL(path)
        library.WebPInitDecoderConfigInternal.argtypes = (ctypes.c_void_p, ctypes.c_int)
        library.WebPGetFeaturesInternal.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_int)
        library.WebPDecode.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p)
        library.WebPFreeDecBuffer.argtypes, library.WebPFreeDecBuffer.restype = (ctypes.c_void_p,), None
        fits = library.WebPInitDecoderConfigInternal(ctypes.byref(_Config()), _ABI)
    except (OSError, StopIteration, AttributeError):
        return None
    return library if fits else None
