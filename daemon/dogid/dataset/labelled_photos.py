"""Labelled photos in one sub-folder per label."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dogid.dataset.label_folders import find_label_folders, list_unlabelled_files
from dogid.dataset.photo_names import may_be_photo
from dogid.errors import DogidError, PhotoCode, UsageError
from dogid.file_names import join_names

Unreadable = tuple[Path, str]
"""A file or folder that could not be read, and the reason."""


@dataclass(frozen=True, slots=True)
class _FileOfLabel:
    path: Path
    label: str
    for_judging: bool


Track = Callable[[Sequence[_FileOfLabel], str], Iterable[_FileOfLabel]]
"""Passes on the items and shows meanwhile how far it is; the text says with what."""

MAX_CONFLICTING_SHARE = 0.25
"""The share of photos under two labels above which a folder is refused: the labels themselves must be wrong."""
_SHOWN = 5  # photos or folders named in an error


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo file and its label."""

    path: Path
    label: int
    """Index into the labels of its dataset."""
    sha256: str
    """Of the file's content, in hex."""
    for_judging: bool = False
    """Whether it lies in test/ or val/: it is not trained on."""

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
    for_judging: bool = False
    """Whether it lies in test/ or val/."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A photo that lies under several labels: at least one of them is wrong."""

    files: tuple[LabelledFile, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """All labelled photos of a folder, sorted by label and name. Copies of a photo are listed once."""

    root: Path
    labels: tuple[str, ...]
    photos: tuple[LabelledPhoto, ...]
    unreadable: tuple[Unreadable, ...]
    files: tuple[LabelledFile, ...]
    """All files that were read, including copies of a photo."""
    unlabelled_files: int
    """Files beside the labels' folders, which have no label."""
    conflicts: tuple[Conflict, ...] = ()
    """The photos under several labels; they are left out of photos."""

    @property
    def repeats(self) -> int:
        """The number of files left out as copies of a photo."""
        return len(self.files) - len({file.sha256 for file in self.files})

    @property
    def is_divided(self) -> bool:
        """Whether some photos are for judging only."""
        return any(photo.for_judging for photo in self.photos)

    def counts(self) -> dict[str, int]:
        """Return the number of photos per label."""
        return {label: sum(photo.label == i for photo in self.photos) for i, label in enumerate(self.labels)}


def _untracked(items: Sequence[_FileOfLabel], what: str) -> Iterable[_FileOfLabel]:  # noqa: ARG001
    return items


def find_photos(root: Path, track: Track = _untracked, *, min_labels: int = 2, max_bytes: int | None = None) -> Dataset:
    """Return the photos in root's sub-folders, each sub-folder's name being a label; see `find_label_folders`.

    Hidden files and files of file managers are ignored. A photo under two labels is left out; one that lies both among
    those to train on and among those to judge with counts to the first. Files of more than max_bytes are not read.
    Raise UsageError where there are fewer labels than min_labels, or a label has no photo, and DogidError where too
    many photos are under two labels.
    """
    labels = tuple(sorted({folder.label for folder in find_label_folders(root)}))
    if len(labels) < min_labels:
        raise UsageError(f"{root} has one label only ({labels[0]}): a classifier needs at least two")
    unreadable: list[Unreadable] = []
    files = tuple(labelled_files(root, unreadable, track, max_bytes))
    conflicts = _find_conflicts(files)
    _check_conflicts(root, conflicts, len({file.sha256 for file in files}))
    left_out = {conflict.files[0].sha256 for conflict in conflicts}
    first: dict[str, LabelledFile] = {}
    for file in sorted(files, key=lambda file: file.for_judging):
        first.setdefault(file.sha256, file)
    photos = tuple(
        LabelledPhoto(file.path, labels.index(file.label), file.sha256, file.for_judging)
        for file in files
        if first[file.sha256] is file and file.sha256 not in left_out
    )
    _check_labels_have_photos(root, labels, photos, unreadable)
    return Dataset(root, labels, photos, tuple(unreadable), files, len(list_unlabelled_files(root)), conflicts)


def labelled_files(
    root: Path, unreadable: list[Unreadable], track: Track = _untracked, max_bytes: int | None = None
) -> Iterator[LabelledFile]:
    """Yield the files in the folders of labels in root; see `hashed_files`. Raise UsageError without any folder."""
    listed = [
        _FileOfLabel(path, folder.label, folder.for_judging)
        for folder in find_label_folders(root)
        for path in _files(folder.path, unreadable)
    ]
    for file in track(listed, "photos"):
        for path, digest, size in _hashed([file.path], unreadable, max_bytes):
            yield LabelledFile(path, file.label, digest, size, file.for_judging)


def hashed_files(folder: Path, unreadable: list[Unreadable]) -> Iterator[tuple[Path, str]]:
    """Yield each photo in a folder and the folders inside it, with the hash of its content.

    The order is the same everywhere. Files and folders that cannot be read are added to unreadable.
    """
    for path, digest, _ in _hashed(_files(folder, unreadable), unreadable):
        yield path, digest


def _hashed(
    paths: Iterable[Path], unreadable: list[Unreadable], max_bytes: int | None = None
) -> Iterator[tuple[Path, str, int]]:
    for path in paths:
        try:
            status = path.stat()
            reason = _reason_to_leave_out(status, max_bytes)
            if reason is None:
                with path.open("rb") as file:  # in pieces: any file may lie there
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = error.strerror or str(error)
        if reason is None:
            yield path, digest, status.st_size
        else:
            unreadable.append((path, reason))


def _reason_to_leave_out(status: os.stat_result, max_bytes: int | None) -> str | None:
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would block
        return "no regular file"
    if not status.st_size:
        return "the file is empty"
    if max_bytes is not None and status.st_size > max_bytes:
        return f"{PhotoCode.TOO_LARGE}: more than {max_bytes} bytes (--max-bytes)"
    return None


def _find_conflicts(files: tuple[LabelledFile, ...]) -> tuple[Conflict, ...]:
    places: dict[str, list[LabelledFile]] = {}
    for file in files:
        places.setdefault(file.sha256, []).append(file)
    return tuple(
        Conflict(tuple(same))
        for same in places.values()
        if len({file.label for file in same}) > 1 and _is_picture(same[0].path)
    )


def _check_conflicts(root: Path, conflicts: tuple[Conflict, ...], photos: int) -> None:
    if len(conflicts) <= MAX_CONFLICTING_SHARE * photos:
        return
    named = [" and ".join(str(file.path) for file in conflict.files) for conflict in conflicts]
    raise DogidError(
        f"{len(conflicts)} of {photos} photos in {root} are under two labels, more than {MAX_CONFLICTING_SHARE:.0%}: "
        f"delete the wrong ones of {join_names(named, _SHOWN)}"
    )


def _check_labels_have_photos(
    root: Path, labels: tuple[str, ...], photos: tuple[LabelledPhoto, ...], unreadable: list[Unreadable]
) -> None:
    empty = [label for i, label in enumerate(labels) if not any(photo.label == i for photo in photos)]
    if not empty:
        return
    folders = [str(folder.path) for folder in find_label_folders(root) if folder.label in empty]
    inside = [f"; {path}: {reason}" for path, reason in unreadable if path.is_relative_to(folders[0])]
    raise UsageError(
        f"no photo in {join_names(folders, _SHOWN)}: put photos of that label there or delete the folder"
        + "".join(inside[:1])
    )


def _files(folder: Path, unreadable: list[Unreadable]) -> list[Path]:
    def refused(error: OSError) -> None:
        unreadable.append((Path(error.filename), error.strerror or str(error)))

    found = []
    for parent, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if may_be_photo(name)]
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
