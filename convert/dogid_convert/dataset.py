"""Labelled photos: one sub-folder per label, split for ever by what the photos contain."""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import DogidError, UsageError

HELD_OUT_PERCENT = 10
"""The share of photos that a model is judged on and not trained on, as in TensorFlow's retrain example."""

Unreadable = tuple[Path, str]
"""A file or folder that could not be read, and the reason."""

_NOT_PHOTOS = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo file and what it shows."""

    path: Path
    label: int
    """Index into the labels of its dataset."""
    sha256: str
    """Of the file's content, in hex."""

    def read(self) -> bytes:
        """Return the file's content. Raise OSError."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class Dataset:
    """All labelled photos of a folder, sorted by label and name. A photo that is there twice is taken once."""

    root: Path
    labels: tuple[str, ...]
    photos: tuple[LabelledPhoto, ...]
    unreadable: tuple[Unreadable, ...]
    repeats: int
    """Files that were left out because the same photo is there under the same label already."""

    def counts(self) -> dict[str, int]:
        """Return the number of photos per label."""
        return {label: sum(photo.label == i for photo in self.photos) for i, label in enumerate(self.labels)}


def find_photos(root: Path) -> Dataset:
    """Return the photos in root's sub-folders, each sub-folder's name being a label.

    Hidden files and what file managers leave behind are ignored. Raise UsageError where the folder cannot be trained
    from, DogidError where a photo has two labels.
    """
    labels = _labels(root)
    photos: dict[str, LabelledPhoto] = {}
    unreadable: list[Unreadable] = []
    repeats = 0
    for i, label in enumerate(labels):
        for path, digest in hashed_files(root / label, unreadable):
            known = photos.setdefault(digest, LabelledPhoto(path, i, digest))
            if known.label != i:
                raise DogidError(
                    f"the same photo has two labels: {known.path} and {path} are equal; delete the wrong one"
                )
            repeats += known.path != path
    found = tuple(photos.values())
    for i, label in enumerate(labels):
        if not any(photo.label == i for photo in found):
            inside = [f"; {path}: {reason}" for path, reason in unreadable if path.is_relative_to(root / label)]
            raise UsageError(
                f"no photo in {root / label}: put photos of that label there or delete the folder" + "".join(inside[:1])
            )
    return Dataset(root, labels, found, tuple(unreadable), repeats)


def is_held_out(sha256: str, percent: int = HELD_OUT_PERCENT) -> bool:
    """Whether a photo is for judging. Told from its content alone: new photos never move the old ones."""
    return int(sha256[:8], 16) % 100 < percent


def group_of(name: str, pattern: re.Pattern[str]) -> str:
    """Return the group (source, camera) that a file name tells: the pattern's first group or its whole match.

    A name that does not match is a group of its own kind, "".
    """
    match = pattern.match(name)
    if match is None:
        return ""
    return match.group(1) if pattern.groups else match.group(0)


def _labels(root: Path) -> tuple[str, ...]:
    if not root.is_dir():
        reason = "is a file" if root.exists() else "does not exist"
        raise UsageError(f"{root} {reason}: give a folder with one sub-folder of photos per label")
    labels = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not labels:
        raise UsageError(f"{root} has no sub-folders: make one per label, with that label's photos in it")
    for label in labels:
        if label != label.strip() or not label.isprintable() or not _is_utf8(label):
            raise UsageError(f"{label!r} in {root} cannot be a label: a label is one line of printable text")
    if len(labels) == 1:
        raise UsageError(f"{root} has one label only ({labels[0]}): telling apart needs at least two")
    return tuple(labels)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def hashed_files(folder: Path, unreadable: list[Unreadable]) -> Iterator[tuple[Path, str]]:
    """Give each photo in a folder and the folders inside it, with the hash of its content.

    The order is the same everywhere. What cannot be read is added to unreadable.
    """
    for path in _files(folder, unreadable):
        try:
            regular = stat.S_ISREG(path.stat().st_mode)  # a pipe would be waited for
            content = path.read_bytes() if regular else b""
        except OSError as error:
            unreadable.append((path, error.strerror or str(error)))
            continue
        if content:
            yield path, hashlib.sha256(content).hexdigest()
        else:
            unreadable.append((path, "the file is empty" if regular else "no regular file"))


def _files(folder: Path, unreadable: list[Unreadable]) -> list[Path]:
    def refused(error: OSError) -> None:
        unreadable.append((Path(error.filename), error.strerror or str(error)))

    found = []
    for parent, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if _may_be_photo(name)]
    return sorted(found)


def _may_be_photo(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _NOT_PHOTOS
