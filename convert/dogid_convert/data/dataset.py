"""Labelled photos in one sub-folder per label."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dogid.errors import DogidError, UsageError
from dogid_convert.support.progress import Track, untracked
from dogid_convert.support.suggestions import join_names

Unreadable = tuple[Path, str]
"""A file or folder that could not be read, and the reason."""

_NOT_PHOTOS = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})
_SHOWN = 5  # photos or folders named in an error


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo file and its label."""

    path: Path
    label: int
    """Index into the labels of its dataset."""
    sha256: str
    """Of the file's content, in hex."""

    def read(self) -> bytes:
        """Return the file's content. Raise OSError."""
        return self.path.read_bytes()


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file in a label's folder, whether or not it is a photo that can be decoded."""

    path: Path
    label: str
    sha256: str
    """Of its content, in hex."""
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """All labelled photos of a folder, sorted by label and name. Copies of a photo are listed once."""

    root: Path
    labels: tuple[str, ...]
    photos: tuple[LabelledPhoto, ...]
    unreadable: tuple[Unreadable, ...]
    files: tuple[LabelledFile, ...]
    """All files that were read, including copies of a photo under the same label."""
    unlabelled_files: int
    """Files directly in root, which have no label."""

    @property
    def repeats(self) -> int:
        """The number of files left out as copies of a photo under the same label."""
        return len(self.files) - len({file.sha256 for file in self.files})

    def counts(self) -> dict[str, int]:
        """Return the number of photos per label."""
        return {label: sum(photo.label == i for photo in self.photos) for i, label in enumerate(self.labels)}


def find_photos(root: Path, track: Track = untracked) -> Dataset:
    """Return the photos in root's sub-folders, each sub-folder's name being a label.

    Hidden files and files of file managers are ignored. Raise UsageError where the folder cannot be trained
    from, DogidError where a photo has two labels.
    """
    labels = label_folders(root)
    if len(labels) == 1:
        raise UsageError(f"{root} has one label only ({labels[0]}): a classifier needs at least two")
    unreadable: list[Unreadable] = []
    files = tuple(labelled_files(root, unreadable, track))
    _check_one_label_per_photo(files)
    first = {file.sha256: file for file in reversed(files)}
    photos = tuple(
        LabelledPhoto(file.path, labels.index(file.label), file.sha256) for file in files if first[file.sha256] is file
    )
    _check_labels_have_photos(root, labels, files, unreadable)
    return Dataset(root, labels, photos, tuple(unreadable), files, len(_list_unlabelled_files(root)))


def label_folders(root: Path) -> tuple[str, ...]:
    """Return the names of root's sub-folders, which are the labels. Raise UsageError where there are none."""
    if not root.is_dir():
        reason = "is a file" if root.exists() else "does not exist"
        raise UsageError(f"{root} {reason}: give a folder with one sub-folder of photos per label")
    labels = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not labels:
        unlabelled = len(_list_unlabelled_files(root))
        inside = f", only {unlabelled} file{'s' * (unlabelled > 1)}" if unlabelled else ""
        raise UsageError(f"{root} has no sub-folders{inside}: make one per label, with that label's photos in it")
    for label in labels:
        if label != label.strip() or not label.isprintable() or not _is_utf8(label):
            raise UsageError(f"{label!r} in {root} cannot be a label: a label is one line of printable text")
    return tuple(labels)


def labelled_files(root: Path, unreadable: list[Unreadable], track: Track = untracked) -> Iterator[LabelledFile]:
    """Yield the files in root's sub-folders with their labels; see `hashed_files`. Raise UsageError without any."""
    for path, digest, size in _hashed(
        track([path for label in label_folders(root) for path in _files(root / label, unreadable)], "photos"),
        unreadable,
    ):
        yield LabelledFile(path, path.relative_to(root).parts[0], digest, size)


def hashed_files(folder: Path, unreadable: list[Unreadable]) -> Iterator[tuple[Path, str]]:
    """Yield each photo in a folder and the folders inside it, with the hash of its content.

    The order is the same everywhere. Files and folders that cannot be read are added to unreadable.
    """
    for path, digest, _ in _hashed(_files(folder, unreadable), unreadable):
        yield path, digest


def _hashed(paths: Iterable[Path], unreadable: list[Unreadable]) -> Iterator[tuple[Path, str, int]]:
    for path in paths:
        try:
            regular = stat.S_ISREG(path.stat().st_mode)  # reading a pipe would block
            content = path.read_bytes() if regular else b""
        except OSError as error:
            unreadable.append((path, error.strerror or str(error)))
            continue
        if content:
            yield path, hashlib.sha256(content).hexdigest(), len(content)
        else:
            unreadable.append((path, "the file is empty" if regular else "no regular file"))


def _check_one_label_per_photo(files: tuple[LabelledFile, ...]) -> None:
    places: dict[str, list[LabelledFile]] = {}
    for file in files:
        places.setdefault(file.sha256, []).append(file)
    conflicts = [
        " and ".join(str(file.path) for file in same)
        for same in places.values()
        if len({file.label for file in same}) > 1 and _is_picture(same[0].path)
    ]
    if conflicts:
        more = f" (and {len(conflicts) - _SHOWN} more such photos)" if len(conflicts) > _SHOWN else ""
        raise DogidError(
            f"the same photo has two labels: {'; '.join(conflicts[:_SHOWN])} are equal{more}; delete the wrong one"
        )


def _check_labels_have_photos(
    root: Path, labels: tuple[str, ...], files: tuple[LabelledFile, ...], unreadable: list[Unreadable]
) -> None:
    empty = [root / label for label in labels if not any(file.label == label for file in files)]
    if not empty:
        return
    inside = [f"; {path}: {reason}" for path, reason in unreadable if path.is_relative_to(empty[0])]
    raise UsageError(
        f"no photo in {join_names([str(folder) for folder in empty], _SHOWN)}: put photos of that label there or "
        "delete the folder" + "".join(inside[:1])
    )


def _list_unlabelled_files(root: Path) -> list[Path]:
    return [entry for entry in root.iterdir() if entry.is_file() and _may_be_photo(entry.name)]


def _files(folder: Path, unreadable: list[Unreadable]) -> list[Path]:
    def refused(error: OSError) -> None:
        unreadable.append((Path(error.filename), error.strerror or str(error)))

    found = []
    for parent, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if _may_be_photo(name)]
    return sorted(found)


def _is_picture(path: Path) -> bool:
    """Whether a file starts like a photo. A licence in each label's folder is not a photo with two labels."""
    from PIL import Image

    try:
        with Image.open(path):
            return True
    except Image.DecompressionBombError:
        return True
    except OSError:
        return False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_be_photo(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _NOT_PHOTOS
