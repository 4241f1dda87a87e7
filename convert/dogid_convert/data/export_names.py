"""The names of exported photos, and of the label folders that they lie in."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Mapping

from dogid.dataset.label_folders import NUMBERED_MANIFEST
from dogid.file_names import shown_name
from dogid.ledger.reviews import Review

_LONGEST = 100
"""Bytes of a file's name, and of a folder's: with what is added to them, below the 255 of file systems."""


def name_label_folders(labels: Iterable[str], former: Mapping[str, str]) -> dict[str, str]:
    """Return the name of the folder of each label; no two are one where file systems take capitals for small letters.

    former: the folders that an export before gave to labels. Who has a name keeps it; then comes the first.
    """
    folders, taken = dict[str, str](), set[str]()
    for label in sorted(dict.fromkeys(labels), key=lambda label: former.get(label) != _folder_name(label)):
        folder = _folder_name(label)
        if _folded(folder) in taken:
            folder = _with_digest(folder, label)
        taken.add(_folded(folder))
        folders[label] = folder
    return folders


def _folded(name: str) -> str:
    """Return what is the same for names that are one on some file system: FAT, NTFS, those of macOS."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def name_exported_file(review: Review, folder: str) -> str:
    """Return the path of an exported photo in its label's folder: the same for the same content and first name."""
    stem, dot, ending = os.path.basename(shown_name(review.path)).rpartition(".")
    if not dot:
        stem, ending = ending, ""
    ending = f".{ending}" if ending.isascii() and ending.isalnum() and len(ending) <= 5 else ""
    return f"{folder}/{_shortened(_printable(stem))}-{review.sha256[:12]}{ending}"


def _folder_name(label: str) -> str:
    """Return a label as the name of a folder, which is the label itself where that can be one."""
    name = _printable(label)
    if len(name.encode()) > _LONGEST:
        name = _with_digest(name, label)
    return _escape(name[0]) + name[1:] if NUMBERED_MANIFEST.fullmatch(name) else name


def _with_digest(name: str, label: str) -> str:
    return f"{_shortened(name)}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"


def _printable(text: str) -> str:
    """Return a text without slashes, signs that cannot be printed, or a dot or blank at the beginning."""
    kept = "".join(sign if sign.isprintable() and sign not in "/%\\" else _escape(sign) for sign in text)
    return _escape(kept[0]) + kept[1:] if kept[:1] in (".", " ") else kept


def _escape(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))


def _shortened(text: str) -> str:
    return text.encode()[:_LONGEST].decode(errors="ignore")


def is_exported_name(file: str) -> bool:
    """Return whether a file could be one of an export: in a folder of its own, neither of them hidden."""
    folder, _, name = file.partition("/")
    return all(part and part[0] != "." and "/" not in part and "\0" not in part for part in (folder, name))
