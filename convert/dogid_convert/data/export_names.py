"""The names of exported photos, and of the label folders that they lie in."""

import hashlib
import os

from dogid.dataset.label_folders import NUMBERED_MANIFEST
from dogid.file_names import shown_name
from dogid.ledger.reviews import Review

_LONGEST = 100
"""Bytes of a file's name, and of a folder's: with what is added to them, below the 255 of file systems."""


def name_exported_file(review: Review) -> str:
    """Return the path of an exported photo: the same for the same content, label and first name."""
    stem, dot, ending = os.path.basename(shown_name(review.path)).rpartition(".")
    if not dot:
        stem, ending = ending, ""
    ending = f".{ending}" if ending.isascii() and ending.isalnum() and len(ending) <= 5 else ""
    return f"{_folder_name(review.label or '')}/{_shortened(_printable(stem))}-{review.sha256[:12]}{ending}"


def _folder_name(label: str) -> str:
    """Return a label as the name of a folder, which is the label itself where that can be one."""
    name = _printable(label)
    if len(name.encode()) > _LONGEST:
        name = f"{_shortened(name)}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
    return _escape(name[0]) + name[1:] if NUMBERED_MANIFEST.fullmatch(name) else name


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
