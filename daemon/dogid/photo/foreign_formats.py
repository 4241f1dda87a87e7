"""Naming the format of files that dogid does not decode, by how they begin.

Sources: ISO/IEC 14496-12 4.3 and mp4ra.org (brands of the file type box), ISO/IEC 23008-12 (HEIF), AVIF 1.1 section 6,
QuickTime File Format (files without that box), RIFF (Microsoft and IBM 1991), ISO/IEC 18181-2 (JPEG XL), ISO/IEC
15444-1 annex I (JPEG 2000), RFC 8794 (EBML: Matroska, WebM), ISO 32000-1 7.5.2 (PDF), Adobe Photoshop File Formats,
PKWARE APPNOTE 4.3.7; CR3 and RAF as ExifTool knows them.
"""

_RAW = "a camera's raw data"
_AVIF, _HEIC, _HEIF = "AVIF", "HEIC", "HEIF"
_VIDEO, _SOUND, _ARCHIVE = "a video (or sound)", "a sound recording", "a ZIP archive (or a document made like one)"

_BEGINNINGS = {
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"%PDF-": "a PDF",
    b"8BPS": "a Photoshop file",
    **dict.fromkeys(
        (b"FUJIFILM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR", b"FOVb", b"\0MRM"), _RAW
    ),
    b"<svg": "an SVG drawing",
    b"\x1aE\xdf\xa3": _VIDEO,
    b"PK\x03\x04": _ARCHIVE,
}
_RIFF_KINDS = {b"AVI ": _VIDEO, b"WAVE": _SOUND}
_QUICKTIME_BOXES = (b"moov", b"mdat", b"wide")

AVIF_BRANDS = frozenset({b"avif", b"avis"})
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"avci", b"avcs", b"jpeg"})
_SOUND_BRANDS = frozenset({b"M4A ", b"M4B "})
_MOST_BRANDS = 64  # of a box whose length may be damaged

_PHOTOS_ONLY = "only photos are classified"
_WAYS_OUT = {
    _HEIC: "have the phone take JPEG (iPhone: Settings, Camera, Formats, Most Compatible), or convert it first",
    _VIDEO: f"{_PHOTOS_ONLY}; have the camera send snapshots",
    _SOUND: _PHOTOS_ONLY,
    _ARCHIVE: "where photos are in it, unpack it first",
}
_CONVERT = "convert it to JPEG first"


def explain(data: bytes) -> str | None:
    """Return what the data is and what to do about it; None where that is not known."""
    kind = _kind(data)
    return None if kind is None else f"{kind} is not decoded: {_WAYS_OUT.get(kind, _CONVERT)}"


def _kind(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":
        return _of_brands(data)
    if data[4:8] in _QUICKTIME_BOXES:
        return _VIDEO
    if data.startswith(b"RIFF"):
        return _RIFF_KINDS.get(data[8:12])
    return next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), None)


def read_brands(data: bytes) -> frozenset[bytes]:
    """Return the brands of the file type box that photos, videos and sounds begin with; none without one.

    The first brand is how to read the file, the others are how it may be read, too.
    """
    if data[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(data[:4]), 16 + 4 * _MOST_BRANDS)
    return frozenset({data[8:12], *(data[at : at + 4] for at in range(16, end, 4))})


def _of_brands(data: bytes) -> str:
    first, brands = data[8:12], read_brands(data)
    if brands & AVIF_BRANDS:
        return _AVIF
    if brands & HEIC_BRANDS:
        return _HEIC
    if brands & HEIF_BRANDS:
        return _HEIF
    if first == b"crx ":
        return _RAW
    return _SOUND if first in _SOUND_BRANDS else _VIDEO
