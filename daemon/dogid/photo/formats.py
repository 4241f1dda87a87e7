"""The formats that are decoded, known by how a file begins, whatever it is called."""

import importlib

from dogid.photo.extent.extent import Extent
from dogid.photo.foreign_formats import AVIF_BRANDS, HEIC_BRANDS, read_brands

JPEG, PNG, WEBP, BMP, GIF, TIFF, HEIC, AVIF = "JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "HEIC", "AVIF"

_EXTENTS = {PNG: "png", WEBP: "webp", BMP: "bmp", GIF: "gif", TIFF: "tiff", HEIC: "isobmff", AVIF: "isobmff"}

_JPEG_START = b"\xff\xd8\xff"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_GIF_STARTS = (b"GIF87a", b"GIF89a")
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")  # the last two: wrong, but decoded
_SIGNATURES = (_JPEG_START, _PNG_START, *_GIF_STARTS, b"BM", *_TIFF_STARTS)
_RIFF, _WEBP, _WEBP_LENGTH = b"RIFF", b"WEBP", 12

_LONGEST_TYPE_BOX = 272  # bytes, of 64 brands; real ones have less than a dozen
BLANK_RUN = 16
"""Zeros at the beginning or the end of a photo that make the file look reserved but not yet written."""


def identify(data: bytes) -> str | None:
    """Return the name of the format that data are in; None where it is not one that is decoded."""
    if data.startswith(_JPEG_START):
        return JPEG
    if data.startswith(_PNG_START):
        return PNG
    if data.startswith(_RIFF) and data[8:12] == _WEBP:
        return WEBP
    if data.startswith(b"BM"):
        return BMP
    if data.startswith(_GIF_STARTS):
        return GIF
    if data.startswith(_TIFF_STARTS):
        return TIFF
    brands = read_brands(data)
    if brands & AVIF_BRANDS:
        return AVIF
    return HEIC if brands & HEIC_BRANDS else None


def find_extent(data: bytes, kind: str) -> Extent:
    """Return where a photo of a format ends, but for JPEG, whose decoder looks for itself.

    Raise PhotoError where a part is not there.
    """
    module = importlib.import_module(f"dogid.photo.extent.{_EXTENTS[kind]}")  # with the first such photo
    extent: Extent = module.find_extent(data)
    return extent


def is_beginning(data: bytes) -> bool:
    """Whether data of no known format may become a photo: a signature's beginning and no more, or zeros before it."""
    if any(signature.startswith(data) for signature in _SIGNATURES) or not data[:BLANK_RUN].strip(b"\0"):
        return True
    is_riff = len(data) < _WEBP_LENGTH and (_RIFF.startswith(data[:4]) and _WEBP.startswith(data[8:]))
    length = int.from_bytes(data[:4])
    is_type_box = len(data) > 4 and b"ftyp".startswith(data[4:8]) and len(data) < length <= _LONGEST_TYPE_BOX
    return is_riff or is_type_box
