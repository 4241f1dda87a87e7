"""What a file is that is no photo of a kind that dogid decodes, told from how it begins.

Sources: ISO/IEC 23008-12 annex B and the MP4 registration authority (mp4ra.org, brands), PDF 32000-1 7.5.2, ISO/IEC
18181-2 (JPEG XL), Adobe's Photoshop file format.
"""

_BRANDS = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIC",
    b"msf1": "HEIC",
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "a camera's raw data (CR3)",
}
_BEGINNINGS = {
    b"%PDF-": "a PDF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"8BPS": "a Photoshop file",
    b"FUJIFILM": "a camera's raw data (RAF)",
    b"\x1aE\xdf\xa3": "a video",
    b"<svg": "an SVG drawing",
    b"PK\x03\x04": "a ZIP archive",
}
_WAYS_OUT = {
    "HEIC": "have the phone take JPEG (iPhone: Settings, Camera, Formats, Most Compatible), or convert it first",
    "a video": "only photos are classified: have the camera send snapshots",
}
_CONVERT = "convert it to JPEG first"


def explain(data: bytes) -> str | None:
    """Return what the data is and what to do about it; None where that is not known."""
    kind = _kind(data)
    return None if kind is None else f"{kind} is not decoded: {_WAYS_OUT.get(kind, _CONVERT)}"


def _kind(data: bytes) -> str | None:
    if data[4:8] == b"ftyp":  # ISO base media: photos and videos alike, told apart by their brand
        return _BRANDS.get(data[8:12], "a video")
    return next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), None)
