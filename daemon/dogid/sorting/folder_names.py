"""Names of folders and files that every file system takes, made of labels and of names of photos."""

import hashlib
import re
import unicodedata

UNSURE = "_unsure"
"""Folder of photos about which the model, or a person, is not sure. No label has a folder that begins so."""

_REFUSED = re.compile(r'[/\\:*?"<>|%\x00-\x1f\x7f\ud800-\udfff]|^[._ ]|[. ]$')
"""Of folders: by FAT and NTFS, by the kernel, or hidden; and the mark of those that are encoded."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_FOREIGN = re.compile(r'[\\:*?"<>|]|[. ]$')
"""Of files: by FAT and NTFS alone."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MOST_BYTES = 200  # of 255, so that there is room for a part of a SHA-256
_DIGITS = 10


def label_folder(label: str) -> str:
    """Return the name of the folder of a label; what no file system takes is percent-encoded."""
    name = _REFUSED.sub(lambda found: _encode(found[0]), unicodedata.normalize("NFC", label))
    if _RESERVED.fullmatch(name):
        name = _encode(name[0]) + name[1:]
    return name if len(name.encode()) <= _MOST_BYTES else distinct_folder(label)


def distinct_folder(label: str) -> str:
    """Return another name for a label, where its folder is another's, or too long: with a part of its SHA-256."""
    name = _REFUSED.sub(lambda found: _encode(found[0]), unicodedata.normalize("NFC", label))
    digest = hashlib.sha256(label.encode(errors="surrogateescape")).hexdigest()[:_DIGITS]
    return f"{_cut(name, _MOST_BYTES)}~{digest}"


def fold(name: str) -> str:
    """Return what two names have in common that are one where file systems take capitals for small letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def has_foreign_letters(name: str) -> bool:
    """Whether a file's name has something in it that FAT and NTFS do not take."""
    return (_FOREIGN.search(name) or _CONTROL.search(name)) is not None


def file_names(name: str, sha256: str, *, for_fat: bool = False) -> tuple[str, ...]:
    """Return the names that a photo may have in its folder, the first that is free: its own, or with its content's.

    for_fat: what FAT and NTFS do not take is percent-encoded, too.
    """
    name = _CONTROL.sub(lambda found: _encode(found[0]), name)
    if for_fat:
        name = _FOREIGN.sub(lambda found: _encode(found[0]), name)
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > 20:
        stem, dot, suffix = name, "", ""
    own = name if len(name.encode()) <= 255 else _cut(stem, _MOST_BYTES) + dot + suffix
    stem = _cut(stem, 255 - 66 - len(suffix.encode()))
    return own, f"{stem}-{sha256[:_DIGITS]}{dot}{suffix}", f"{stem}-{sha256}{dot}{suffix}"


def _encode(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode(errors="surrogatepass"))


def _cut(text: str, most: int) -> str:
    """Return the beginning of a text that takes so many bytes at most, in whole letters."""
    return text.encode()[:most].decode(errors="ignore")
