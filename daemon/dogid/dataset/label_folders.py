"""The folders of a data set whose names are labels, as people and public data sets arrange them."""

import re
from dataclasses import dataclass
from pathlib import Path

from dogid.dataset.photo_names import may_be_photo
from dogid.errors import UsageError
from dogid.file_names import join_names
from dogid.quantities import count_of

LABEL_FILE = ".label"
"""A file in a folder of photos with their label, where the folder cannot be called so: `dog/cat` has a slash."""
NUMBERED_MANIFEST = re.compile(r"manifest-([0-9]{4,})\.json")
"""The names of the manifests that `dogid data export` writes beside the folders of labels."""
_TRAINING_PARTS = frozenset({"train", "training"})
_JUDGING_PARTS = frozenset({"test", "testing", "val", "valid", "validation"})


@dataclass(frozen=True, slots=True)
class LabelFolder:
    """A folder of photos with one label."""

    path: Path
    label: str
    """The folder's name without blanks at its ends, or the line in its `.label`."""
    for_judging: bool = False
    """Whether the data set's author has put its photos apart, to judge with."""


def find_label_folders(root: Path) -> tuple[LabelFolder, ...]:
    """Return the folders of labels in root, sorted by label; several may have the same one.

    They are its sub-folders, or, where root is divided into train/ and test/ (or val/, valid/, validation/), the
    sub-folders of those. Raise UsageError where there are none, or a name cannot be a label.
    """
    if not root.is_dir():
        reason = "is a file" if root.exists() else "does not exist"
        raise UsageError(f"{root} {reason}: give a folder with one sub-folder of photos per label")
    found = [
        LabelFolder(folder, _read_label(folder), part is not None and _part_name(part) in _JUDGING_PARTS)
        for part, parent in _parts(root)
        for folder in _sub_folders(parent)
    ]
    if not found:
        unlabelled = len(list_unlabelled_files(root))
        inside = f", only {count_of(unlabelled, 'file')}" if unlabelled else ""
        raise UsageError(f"{root} has no sub-folders{inside}: make one per label, with that label's photos in it")
    for folder in found:
        if not folder.label or not folder.label.isprintable() or not _is_utf8(folder.label):
            raise UsageError(
                f"{folder.path.name!r} in {folder.path.parent} cannot be a label: a label is one line of printable text"
            )
    return tuple(sorted(found, key=lambda folder: (folder.label, folder.path)))


def _read_label(folder: Path) -> str:
    path = folder / LABEL_FILE
    if not path.is_file():
        return folder.name.strip()
    try:
        label = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not label or not label.isprintable():
        raise UsageError(f"{path} has no label: write it there in one line of printable text, or delete the file")
    return label


def is_divided(root: Path) -> bool:
    """Return whether root holds train/ and perhaps test/ or val/, with the labels' folders inside them."""
    return _parts(root)[0][0] is not None


def list_unlabelled_files(root: Path) -> list[Path]:
    """Return the files that have no label, since they lie beside the labels' folders; not an export's manifests."""
    return [
        entry
        for parent in dict.fromkeys([root, *(parent for _, parent in _parts(root))])
        for entry in parent.iterdir()
        if entry.is_file() and may_be_photo(entry.name) and not NUMBERED_MANIFEST.fullmatch(entry.name)
    ]


def _parts(root: Path) -> list[tuple[Path | None, Path]]:
    """Return (part, folder with the labels' folders): one for each part of a divided data set, else (None, root)."""
    inside = _sub_folders(root)
    names = {_part_name(folder) for folder in inside}
    divided = bool(names & _TRAINING_PARTS) and names <= _TRAINING_PARTS | _JUDGING_PARTS
    # with photos directly in it, train is a label: the classes may be vehicles
    if divided and all(map(_holds_labels, inside)):
        return [(folder, folder) for folder in inside]
    if divided:
        _check_parts(root, inside)
    return [(None, root)]


def _check_parts(root: Path, inside: list[Path]) -> None:
    """Raise UsageError where train/ holds folders of labels and a part does not fit: train would become a label."""
    if not any(_part_name(folder) in _TRAINING_PARTS and _holds_labels(folder) for folder in inside):
        return
    misfit = next(folder for folder in inside if not _holds_labels(folder))
    found = "photos lie directly in it" if _has_photos(misfit) else "it has no sub-folders"
    raise UsageError(
        f"{root} is divided into {join_names([folder.name for folder in inside])}, and {misfit} does not fit: {found}. "
        "Give each of them one sub-folder per label with the photos in it, or move it elsewhere"
    )


def _holds_labels(folder: Path) -> bool:
    return bool(_sub_folders(folder)) and not _has_photos(folder)


def _part_name(folder: Path) -> str:
    return folder.name.strip().lower()


def _has_photos(folder: Path) -> bool:
    pictures = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".bmp", ".gif", ".tif", ".tiff", ".avif"}
    return any(entry.suffix.lower() in pictures for entry in folder.iterdir() if entry.is_file())


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
