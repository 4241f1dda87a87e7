"""The file of a backup: a zip with the ledger, the models of the state folder, and a manifest.

Nothing in it is trusted when it is read: a file counts if the manifest names it, with the size and SHA-256 that it has.
"""

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from dogid.errors import DogidError
from dogid.ledger.database import FILE_NAME
from dogid.outputs import store_schema as outputs_schema

MANIFEST = "manifest.json"
OUTPUTS = outputs_schema.FILE_NAME
"""How far outputs have got, and what waits for them. A backup without outputs has none."""
MODELS = "models"
"""The folder of models inside the state folder, and inside the archive."""
_MODEL_ENDING = ".tflite"
_FORMAT = 1
_MOST_MANIFEST_BYTES = 4 << 20  # of some ten thousand files; more takes memory before anything is known to be right
MOST_FILES = 10_000
"""In a backup. More take memory before anything is known to be right; fewer refuse a large collection of models."""
_MOST_DEPTH = 4  # folders below each other; models lie in one
_CHUNK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ArithmeticError, AttributeError, RuntimeError,
    ValueError, KeyError, TypeError,
)  # fmt: skip
"""What zipfile raises on archives that are cut off, encrypted or made up."""

OnProgress = Callable[[int], None]
"""Called with a number of bytes that were read or written since the last call."""


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file in a backup."""

    name: str
    """Its path relative to the state folder, with slashes."""
    size: int
    """In bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    made_at: str
    """ISO 8601, UTC."""
    dogid: str
    """The version that made it."""
    results: int
    """Current results in the ledger."""
    files: tuple[ArchivedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files, unpacked."""
        return sum(file.size for file in self.files)

    @property
    def models(self) -> int:
        """How many of the files are models: others are what is noted beside them."""
        return sum(file.name.endswith(_MODEL_ENDING) for file in self.files)

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, ensure_ascii=False).encode()


def damaged(path: Path, reason: object) -> DogidError:
    """Return the error of a file that is no backup, or a damaged one."""
    return DogidError(f"{path}: this is no whole backup of dogid: {reason}; nothing was changed")


def read_manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    """Return the manifest of an open archive, checked against what lies in it. Raise DogidError."""
    try:
        entries = archive.infolist()
        with archive.open(MANIFEST) as file:
            text = file.read(_MOST_MANIFEST_BYTES + 1)
        if len(text) > _MOST_MANIFEST_BYTES:
            raise ValueError("its manifest is too large")
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise DogidError(
                f"{path}: made by another version of dogid ({document['dogid']}); restore it with that one"
            )
        files = tuple(ArchivedFile(**file) for file in document["files"])
        manifest = Manifest(str(document["made_at"]), str(document["dogid"]), int(document["results"]), files)
        _check_names(manifest)
        named = {file.name: file.size for file in files}
        found = {entry.filename: entry.file_size for entry in entries if entry.filename != MANIFEST}
        if len(entries) != len(files) + 1 or named != found:
            raise ValueError("its files are not those that its manifest names")
        if any(entry.compress_type not in _METHODS or entry.flag_bits & 1 for entry in entries):
            raise ValueError("it is packed in a way that dogid does not use")
    except _UNREADABLE as error:
        raise damaged(path, error) from error
    return manifest


def _check_names(manifest: Manifest) -> None:
    """Raise ValueError where a file does not belong into a state folder, or lacks its size or SHA-256."""
    if not any(file.name == FILE_NAME for file in manifest.files) or len(manifest.files) > MOST_FILES:
        raise ValueError("there is no ledger in it, or too much else")
    for file in manifest.files:
        if file.name not in (FILE_NAME, OUTPUTS) and not is_model_name(file.name):
            raise ValueError(f"a file named {file.name!r} has no place in a state folder")
        if type(file.size) is not int or file.size < 0 or not _SHA256.fullmatch(file.sha256):
            raise ValueError(f"size or SHA-256 of {file.name!r} are missing")


def is_model_name(name: str) -> bool:
    """Whether a backup may have a model of this name: below the folder of models, and in it on every machine."""
    parts = name.split("/")
    is_safe = all(part not in ("", ".", "..") and part.isprintable() and "\\" not in part for part in parts)
    return is_safe and parts[0] == MODELS and 1 < len(parts) <= _MOST_DEPTH


def extract(path: Path, archive: zipfile.ZipFile, file: ArchivedFile, target: Path, on_progress: OnProgress) -> None:
    """Write a file of an archive to target, and to the disk.

    Raise DogidError where it has another size or SHA-256 than the manifest says; OSError where it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        sha256, size = hashlib.sha256(), 0
        for chunk in _read(path, archive, file.name):
            size += len(chunk)
            if size > file.size:
                raise damaged(path, f"{file.name} is larger than its manifest says")
            sha256.update(chunk)
            out.write(chunk)
            on_progress(len(chunk))
        out.flush()
        os.fsync(out.fileno())
    if (size, sha256.hexdigest()) != (file.size, file.sha256):
        raise damaged(path, f"{file.name} was changed since it was written")


def _read(path: Path, archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        with archive.open(name) as packed:
            while chunk := packed.read(_CHUNK):
                yield chunk
    except _UNREADABLE as error:
        raise damaged(path, error) from error


def add(archive: zipfile.ZipFile, name: str, source: IO[bytes], on_progress: OnProgress) -> ArchivedFile:
    """Pack an open file into an archive; return what the manifest says of it. Raise OSError."""
    sha256, size = hashlib.sha256(), 0
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as packed:
        for chunk in _chunks(source):
            size += len(chunk)
            sha256.update(chunk)
            packed.write(chunk)
            on_progress(len(chunk))
    return ArchivedFile(name, size, sha256.hexdigest())


def _chunks(source: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: source.read(_CHUNK), b"")
