"""Versions of the training data: photos by content, with their labels.

A version is the SHA-256 of what `sha256sum` prints for the photos, sorted by name. Without dogid, inside the folder:

    find . -mindepth 2 -type f -size +0c ! -path '*/.*' ! -iname thumbs.db ! -iname ehthumbs.db ! -iname desktop.ini \\
      -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum

where no file or folder is a link (a manifest follows those, `find` does not), none is called `Icon` and a carriage
return, all can be read, and all names are UTF-8.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.dataset.labelled_photos import LabelledFile, Unreadable, labelled_files
from dogid.errors import UsageError
from dogid.file_names import shown_name
from dogid_convert.reports.training_report import REPORT
from dogid_convert.support.progress import Track, untracked

MANIFEST = "manifest.json"
FORMAT = 1
"""Of the file; changes when its meaning does."""


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A file in a label's folder."""

    file: str
    """Inside the folder of photos, the label's folder first; other bytes than UTF-8 are percent-encoded."""
    label: str
    sha256: str
    """Of its content, in hex."""
    size: int
    """In bytes."""
    error: str | None = None
    """The reason why it was not trained on, if it cannot be decoded."""
    word: Mapping[str, Any] | None = None
    """Who labelled it and what the model had guessed, where `dogid data export` has written it."""

    @property
    def is_correction(self) -> bool:
        """Whether a person gave it another label than the model's guess."""
        return self.word is not None and self.word["guess"]["label"] != self.label


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files that make up training data, sorted by name."""

    entries: tuple[ManifestEntry, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    """Files without content or that could not be read, with the reason."""
    changed: tuple[str, ...] = ()
    """Files that `dogid data export` had written and somebody has changed since; they stay as they are."""

    @property
    def version(self) -> str:
        """A hash, in hex, that is the same if and only if contents, labels and names are."""
        return hashlib.sha256("".join(map(_line, self.entries)).encode()).hexdigest()

    def counts(self) -> dict[str, int]:
        """Return the number of files per label, without those that are known not to be photos."""
        return dict(sorted(Counter(entry.label for entry in self.entries if entry.error is None).items()))


def make_manifest(
    root: Path, files: Iterable[LabelledFile], unreadable: Iterable[Unreadable], errors: dict[str, str] | None = None
) -> Manifest:
    """Return the manifest of a folder's files; errors maps hashes of files that cannot be decoded to the reason."""
    known = errors or {}
    entries = (
        ManifestEntry(_name(root, file.path), file.label, file.sha256, file.size, known.get(file.sha256))
        for file in files
    )
    left_out = tuple(sorted((_name(root, path), reason) for path, reason in unreadable))
    return Manifest(_sorted(entries), left_out)


def as_json(manifest: Manifest) -> str:
    """Return the content of a manifest file; the same for the same photos."""
    document = {
        "format": FORMAT,
        "version": manifest.version,
        "labels": manifest.counts(),
        "photos": [
            {"file": entry.file, "label": entry.label, "sha256": entry.sha256, "bytes": entry.size}
            | ({"error": entry.error} if entry.error else {})
            | ({"reviewed": entry.word} if entry.word else {})
            for entry in manifest.entries
        ],
        "left_out": [{"file": file, "reason": reason} for file, reason in manifest.left_out],
    } | ({"kept": list(manifest.changed)} if manifest.changed else {})
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def load(path: Path, track: Track = untracked) -> Manifest:
    """Return the manifest that path is: a file, what a training left in a folder, or a folder of labelled photos.

    Raise UsageError where it is none of them.
    """
    if path.is_file():
        return read(path)
    try:
        if (path / MANIFEST).is_file() and ((path / REPORT).is_file() or not _has_subfolders(path)):
            return read(path / MANIFEST)
        if (path / REPORT).is_file() and not _has_subfolders(path):
            raise UsageError(
                f"{path} has a {REPORT} but no {MANIFEST}: an older dogid trained it. Give the folder of its photos"
            )
        unreadable: list[Unreadable] = []
        return make_manifest(path, list(labelled_files(path, unreadable, track)), unreadable)
    except OSError as error:
        raise UsageError(f"{error.filename or path} cannot be read: {error.strerror}") from error


def read(path: Path) -> Manifest:
    """Return the manifest in a file. Raise UsageError where it is none, damaged or edited."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} is not a manifest: it is not JSON; give the {MANIFEST} of a training") from error
    if not isinstance(document, dict) or not {"format", "version", "photos"} <= document.keys():
        raise UsageError(
            f"{path} is not a manifest: format, version or photos are missing; give the {MANIFEST} of a training"
        )
    if document["format"] != FORMAT:
        raise UsageError(f"{path} has format {document['format']!r}; this dogid reads {FORMAT}: use a newer dogid")
    try:
        manifest = _parsed(document)
        version = manifest.version
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged: {type(error).__name__} {error} among its photos") from error
    if version != document["version"]:
        raise UsageError(f"{path} is damaged or was edited: its version is not that of its photos")
    return manifest


def _parsed(document: dict[str, Any]) -> Manifest:
    entries = (
        ManifestEntry(
            str(p["file"]), str(p["label"]), str(p["sha256"]), int(p["bytes"]), p.get("error"), p.get("reviewed")
        )
        for p in document["photos"]
    )
    left_out = tuple((str(item["file"]), str(item["reason"])) for item in document.get("left_out", []))
    return Manifest(_sorted(entries), left_out, tuple(map(str, document.get("kept", []))))


def _sorted(entries: Iterable[ManifestEntry]) -> tuple[ManifestEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.file.encode("utf-8", "surrogateescape")))


def _line(entry: ManifestEntry) -> str:
    """Return a line as `sha256sum` prints it, which escapes names of more than a line."""
    escaped = entry.file.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != entry.file else ""
    return f"{mark}{entry.sha256}  {escaped}\n"


def _name(root: Path, path: Path) -> str:
    return shown_name(os.fsencode(path.relative_to(root)))


def _has_subfolders(path: Path) -> bool:
    return any(entry.is_dir() and not entry.name.startswith(".") for entry in path.iterdir())
