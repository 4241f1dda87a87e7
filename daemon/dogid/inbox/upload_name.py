"""A safe name in the inbox for a photo that somebody sends under any name."""

import re
import unicodedata
from pathlib import PurePosixPath

from dogid.inbox.ignored_names import is_ignored
from dogid.photo import formats

_MOST_BYTES = 200
"""Of a name in UTF-8, without the number that may be added; file systems take 255."""
_USUAL = "photo"
_UNSAFE = re.compile(r'[<>:"|?*\\/]')  # a path of any system, and what FAT and NTFS do not take
_BEFORE = " .~-"  # hidden files and temporary ones of other programs; and what a shell takes for a flag

_EXTENSIONS = {
    formats.JPEG: ".jpg",
    formats.PNG: ".png",
    formats.WEBP: ".webp",
    formats.BMP: ".bmp",
    formats.GIF: ".gif",
    formats.TIFF: ".tif",
    formats.HEIC: ".heic",
    formats.AVIF: ".avif",
}
_OTHER_EXTENSIONS = (
    *(".jpeg", ".jpe", ".jfif", ".dib", ".tiff", ".heif", ".hif", ".avifs"),
    *(".dng", ".nef", ".arw", ".cr2", ".pef", ".srw"),  # raw data of cameras that begin as TIFF does
)
_KNOWN = frozenset({*_EXTENSIONS.values(), *_OTHER_EXTENSIONS})


def make_upload_name(sent: str, kind: str) -> str:
    """Return a name for a file of the inbox itself, which is not ignored there, close to the one that was sent.

    sent: any text: paths, control characters and names of no length are taken, too.
    kind: what the photo is by its content, as `formats.identify` names it: a name without the extension of a photo
        gets that of its kind, whatever else it has.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", sent))[-1]
    printable = "".join(letter if letter.isprintable() else "_" for letter in last)
    name = _UNSAFE.sub("_", printable).lstrip(_BEFORE).rstrip(" .")
    extension = PurePosixPath(name).suffix
    if extension.lower() in _KNOWN:
        stem = name.removesuffix(extension)
    else:
        stem, extension = name, _EXTENSIONS[kind]
    name = _cut(stem.rstrip(" .") or _USUAL, _MOST_BYTES - len(extension)) + extension
    return _USUAL + extension if is_ignored(name.encode()) else name


def add_number(name: str, number: int) -> str:
    """Return a name with a number before its extension, for where others have the name already."""
    path = PurePosixPath(name)
    return f"{path.stem}-{number}{path.suffix}"


def _cut(text: str, most_bytes: int) -> str:
    """Return the beginning of a text, in whole letters, that has at most so many bytes in UTF-8."""
    return text.encode()[:most_bytes].decode("utf-8", "ignore")
