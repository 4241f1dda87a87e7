"""The photos that a conversion needs: some to calibrate with, others to compare the models on."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.label_folders import is_divided
from dogid.dataset.labelled_photos import Conflict, LabelledPhoto, Unreadable, find_photos, hashed_files
from dogid.errors import DogidError, PhotoError, UsageError
from dogid.photo.decode import decode_complete
from dogid_convert.support.progress import Track, untracked

NO_LABEL = -1
"""The label of photos in a folder without sub-folders."""


@dataclass(frozen=True, slots=True)
class PhotoFolder:
    """The photos of a folder, with or without a sub-folder for each label."""

    folder: Path
    labels: tuple[str, ...]
    """The sub-folders' names; none where the photos lie in the folder itself."""
    photos: tuple[LabelledPhoto, ...]
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def sha256(self) -> str:
        """Identifies the set: the hash of its photos' hashes and labels, whatever the files are called."""
        lines = sorted(f"{p.sha256} {self.labels[p.label] if self.labels else ''}\n" for p in self.photos)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Decoded:
    """Photos as the model sees them."""

    photos: tuple[LabelledPhoto, ...]
    pixels: NDArray[np.uint8]
    """[photos, height, width, 3]."""
    broken: tuple[str, ...]
    """A line for each photo that could not be decoded."""

    def part(self, first: int, end: int) -> "Decoded":
        """Return the photos from place first to before end."""
        return Decoded(self.photos[first:end], self.pixels[first:end], ())


def read_folder(folder: Path, *, for_judging: bool = False) -> PhotoFolder:
    """Return a folder's photos; of one divided into train/ and test/, those to judge with or the others.

    Raise UsageError where there are none, OSError where the folder cannot be read.
    """
    if not folder.is_dir():
        reason = "is a file" if folder.exists() else "does not exist"
        raise UsageError(f"{folder} {reason}: give a folder of photos like those that the model will see")
    parts = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    if len(parts) > 1 or (parts and is_divided(folder)):
        found = find_photos(folder, untracked)
        chosen = tuple(p for p in found.photos if not found.is_divided or p.for_judging == for_judging)
        left_out = tuple(_conflict_line(conflict) for conflict in found.conflicts)
        return PhotoFolder(folder, found.labels, chosen, (*found.unreadable, *left_out))
    photos: dict[str, LabelledPhoto] = {}
    unreadable: list[Unreadable] = []
    for path, digest in hashed_files(folder, unreadable):
        photos.setdefault(digest, LabelledPhoto(path, NO_LABEL, digest))
    if not photos:
        raise UsageError(
            f"no photos in {folder}: give a folder of photos like those that the model will see"
            + "".join(f"; left out: {line}" for line in error_lines(unreadable[:1]))
        )
    return PhotoFolder(folder, (), tuple(photos.values()), tuple(unreadable))


def _conflict_line(conflict: Conflict) -> Unreadable:
    first, *others = conflict.files
    return first.path, f"the same photo is under another label, too: {', '.join(str(file.path) for file in others)}"


def error_lines(unreadable: Sequence[Unreadable]) -> list[str]:
    """Return a line for each file that could not be read."""
    return [f"{path}: {reason}" for path, reason in unreadable]


def interleave_labels(photos: Sequence[LabelledPhoto]) -> list[LabelledPhoto]:
    """Return the photos so that every beginning of the list has all labels about equally often.

    Within a label the content's hash gives the order, which no renaming changes.
    """
    by_label: dict[int, list[LabelledPhoto]] = {}
    for photo in sorted(photos, key=lambda photo: photo.sha256):
        by_label.setdefault(photo.label, []).append(photo)
    rounds = [(place, label, photo) for label, group in by_label.items() for place, photo in enumerate(group)]
    return [photo for _, _, photo in sorted(rounds, key=lambda item: item[:2])]


def decode_photos(photos: Sequence[LabelledPhoto], size: tuple[int, int], track: Track, what: str) -> Decoded:
    """Decode photos as the daemon does. Raise DogidError where not a single one can be decoded."""
    good: list[LabelledPhoto] = []
    pixels: list[NDArray[np.uint8]] = []
    broken: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda photo: _pixels_or_reason(photo, size), photos)
        for photo in track(photos, what):
            result = next(results)
            if isinstance(result, str):
                broken.append(f"{photo.path}: {result}")
            else:
                good.append(photo)
                pixels.append(result)
    if photos and not good:
        raise DogidError(f"none of the {len(photos)} photos can be decoded; the first: {broken[0]}")
    return Decoded(tuple(good), np.stack(pixels) if pixels else _no_pixels(size), tuple(broken))


def _pixels_or_reason(photo: LabelledPhoto, size: tuple[int, int]) -> NDArray[np.uint8] | str:
    try:
        return decode_complete(photo.read(), size).pixels
    except PhotoError as error:
        return error.message
    except OSError as error:
        return error.strerror or str(error)


def _no_pixels(size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.zeros((0, size[1], size[0], 3), dtype=np.uint8)
