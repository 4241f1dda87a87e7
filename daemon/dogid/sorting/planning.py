"""Where each photo shall lie in a sorted folder, noted in its manifest before anything is made there."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dogid.file_names import possible_names, shown_name
from dogid.result_document import Result
from dogid.sorting.folder_names import (
    UNSURE,
    distinct_folder,
    file_names,
    fold,
    has_foreign_letters,
    label_folder,
)
from dogid.sorting.manifest import Manifest, PlacedPhoto
from dogid.sorting.placing import Kind, takes_every_name
from dogid.sorting.sort_report import SortReport


@dataclass(slots=True)
class Plan:
    """One photo that is about to be placed."""

    photo: PlacedPhoto
    result: Result
    before: PlacedPhoto | None = None
    """What is in the folder, where it is made anew in its place."""
    names: Sequence[str] = ()
    """That are left for it, where its own is taken meanwhile."""

    @property
    def is_move(self) -> bool:
        """Whether it goes from one folder into another."""
        return self.photo.former is not None and self.before is None

    def count_in(self, report: SortReport) -> None:
        """Count it in a report as done."""
        if self.before is not None:
            report.replaced += 1
            return
        if self.photo.former is None:
            report.placed += 1
        else:
            report.moved += 1
        report.labels[self.photo.folder] = report.labels.get(self.photo.folder, 0) + 1


class Planner:
    """Plans photos of an inbox, in the manifest of one folder."""

    def __init__(
        self,
        folder: Path,
        inbox: Path,
        manifest: Manifest,
        kind: Kind,
        *,
        replaces_kinds: bool,
        is_rehearsal: bool = False,
    ) -> None:
        """Set up; with replaces_kinds photos that are there as another kind are made anew.

        is_rehearsal: nothing is made, also not to find out what the file system takes.
        """
        self._is_fat = False if is_rehearsal else None  # None: not known yet
        self._folder = folder
        self._inbox = inbox
        self._manifest = manifest
        self._kind = kind
        self._replaces_kinds = replaces_kinds

    def plan(self, result: Result, report: SortReport) -> Plan | None:
        """Note where a photo shall lie; return None where there is nothing to do.

        Raise OSError where it cannot be found out which names the folder takes.
        """
        sha256 = result["sha256"]
        label, is_unsure = _find_label(result)
        before = None if sha256 is None else self._manifest.find(sha256)
        if before is not None and before.placed and not os.path.lexists(self._folder / before.path):
            before = None  # a person has taken it away
        if sha256 is None or not (label or is_unsure) or (before is None and not result["present"]):
            report.note_left_out(result)
            return None
        path = possible_names(result["file"])[0]
        source = os.path.abspath(os.fsencode(self._inbox)) + b"/" + path
        is_twin = before is not None and source != before.source
        if before is not None and is_twin and result["present"] and not os.path.lexists(before.source):
            is_twin = False  # the file that it was made of is gone or renamed: this one takes its place
        if is_twin and result["reviewed"] is None:  # the other file's label counts: both would move it to and fro
            report.already += 1
            return None
        folder = self._choose_folder(None if is_unsure else label)
        report.unsure += is_unsure
        if before is not None and is_twin:
            source = before.source
        if before is not None and before.folder == folder:
            return self._plan_anew(before, source, result, report)
        names = self._names_for(shown_name(path.rpartition(b"/")[2]), sha256)
        free = [name for name in names if self._is_free(f"{folder}/{name}", sha256)]
        if not free:
            report.note_failure(result["file"], f"all names for it are taken in {folder}")
            return None
        if before is not None:
            source = before.source if before.kind == Kind.SYMLINK else source
            photo = replace(before, path=f"{folder}/{free[0]}", placed=False, former=before.path, source=source)
        else:
            photo = PlacedPhoto(sha256, f"{folder}/{free[0]}", self._kind, source, placed=False)
        self._manifest.write(photo)
        return Plan(photo, result, names=free[1:])

    def _plan_anew(self, before: PlacedPhoto, source: bytes, result: Result, report: SortReport) -> Plan | None:
        """Note that a photo is to be made anew in its place; return None where it may stay as it is."""
        kind = self._kind if self._replaces_kinds else Kind(before.kind)
        is_dangling = before.kind == Kind.SYMLINK and source != before.source
        path = os.path.abspath(os.fsencode(self._inbox)) + b"/" + possible_names(result["file"])[0]
        if not result["present"] or path != source or not (kind != before.kind or is_dangling):
            if source != before.source:
                self._manifest.write(replace(before, source=source))
            report.already += 1
            return None
        photo = replace(before, kind=kind, source=source, placed=False, former=before.path)
        self._manifest.write(photo)
        return Plan(photo, result, before)

    def _choose_folder(self, label: str | None) -> str:
        """Return the folder of a label, of None that for unsure photos; note it where it is new."""
        known = self._manifest.find_folder(label)
        if known is not None:
            return known
        name = UNSURE if label is None else label_folder(label)
        if label is not None and not self._manifest.is_folder_free(fold(name)):
            name = distinct_folder(label)
        self._manifest.write_folder(name, fold(name), label, made=not (self._folder / name).exists())
        return name

    def _names_for(self, name: str, sha256: str) -> tuple[str, ...]:
        """Return the names that a photo may have, as the file system of the folder takes them."""
        if self._is_fat is None and has_foreign_letters(name):
            self._is_fat = not takes_every_name(self._folder)
        return file_names(name, sha256, for_fat=bool(self._is_fat))

    def _is_free(self, path: str, sha256: str) -> bool:
        holder = self._manifest.find_path(path)
        if holder is not None:
            return holder.sha256 == sha256
        return not os.path.lexists(self._folder / path)


def _find_label(result: Result) -> tuple[str | None, bool]:
    """Return the label that counts, and whether it is none since the model or a person is not sure."""
    word = result["reviewed"]
    if word is not None:
        return word["label"], word["label"] is None
    return result["label"], bool(result["unsure"])
