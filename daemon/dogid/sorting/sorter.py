"""Photos in folders by label: a person's label goes before the model's, and the same content comes once.

Failed and pending photos are left out; those about which the model or a person is not sure have a folder of their own.
"""

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from dogid.errors import UsageError
from dogid.file_names import possible_names, shown_name
from dogid.result_document import Result
from dogid.sorting.folder_names import UNSURE, distinct_folder, file_names, fold, label_folder
from dogid.sorting.manifest import Manifest, PlacedPhoto
from dogid.sorting.placing import (
    TEMPORARY,
    Kind,
    LinkError,
    SkippedError,
    UnreadableError,
    claim,
    is_ours,
    prepare,
    remove_temporary,
)
from dogid.system.atomic_files import sync_folder
from dogid.system.file_lock import holding_file_lock

BATCH = 50
"""Photos that are planned in one transaction. More are found out anew after a kill; fewer wait for the disk more."""

LOCK = ".dogid-sort.lock"
"""Held by the process that changes the folder."""
_MOST_NAMED = 100  # photos that could not be sorted; more are counted
_INBOX, MADE_ROOT = "inbox", "made_root"
"""Settings in the manifest: where the photos are from, and whether dogid made the folder itself (1)."""


@dataclass(slots=True)
class SortReport:
    """What became of the photos."""

    placed: int = 0
    moved: int = 0
    """Whose label has changed."""
    already: int = 0
    """That are there, by this run or an earlier one; also further photos of the same content."""
    unsure: int = 0
    """Of all these, those in the folder for it."""
    left_out: int = 0
    """Failed, pending, or not in the inbox any more."""
    failed: int = 0
    unreadable: int = 0
    """Of those that failed, those that may be readable later."""
    reasons: list[str] = field(default_factory=list)
    """Of the first that failed, with their names."""
    labels: dict[str, int] = field(default_factory=dict)
    """How many photos were placed or moved, by the name of their folder."""

    def note_failure(self, file: str, reason: str) -> None:
        """Count a photo that could not be sorted."""
        self.failed += 1
        if len(self.reasons) < _MOST_NAMED:
            self.reasons.append(f"{file}: {reason}")


@dataclass(slots=True)
class _Plan:
    """One photo that is about to be placed."""

    photo: PlacedPhoto
    result: Result
    names: Sequence[str]
    """That are left for it, where its own is taken meanwhile."""


def check_place(folder: Path, inbox: Path, state: Path) -> None:
    """Raise UsageError where photos cannot be sorted into a folder: it lies in the inbox, or holds it."""
    place = folder.resolve()
    for other, what in ((inbox.resolve(), "inbox"), (state.resolve(), "state folder")):
        if place.is_relative_to(other):
            raise UsageError(f"{folder} lies in the {what}: name a folder elsewhere")
        if other.is_relative_to(place):
            raise UsageError(f"{folder} holds the {what}: name a folder beside it")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder")


class Sorter:
    """Sorts photos of an inbox into one folder. A context: it holds the folder's lock."""

    def __init__(self, folder: Path, inbox: Path, kind: Kind, *, is_rehearsal: bool = False) -> None:
        """Set up; with is_rehearsal nothing is made, and the report says what would be."""
        self.folder = folder
        self._inbox = inbox
        self._kind = kind
        self._is_rehearsal = is_rehearsal
        self._stack = contextlib.ExitStack()
        self._made: set[str] = set()

    def __enter__(self) -> "Sorter":
        """Open the folder, which is made where it is missing, and find out what an interrupted run had come to.

        Raise UsageError, BlockingIOError where another process sorts into it, OSError, sqlite3.OperationalError.
        """
        with self._stack:
            if self._is_rehearsal:
                self.manifest = Manifest(self.folder, is_rehearsal=True)
            else:
                is_new = not self.folder.exists()
                self.folder.mkdir(parents=True, exist_ok=True)
                self._stack.enter_context(holding_file_lock(self.folder / LOCK))
                self.manifest = open_manifest(self.folder)
                if self.manifest.read_setting(_INBOX) is None:
                    self.manifest.note_setting(MADE_ROOT, str(int(is_new)))
                    self.manifest.note_setting(_INBOX, str(self._inbox))
                    self.manifest.commit()
            self._stack.callback(self.manifest.close)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the folder."""
        self._stack.close()

    def sort(self, results: Sequence[Result], report: SortReport) -> None:
        """Place, or move, the photos of some results, and count them in the report.

        Raise LinkError where this kind cannot be made there, OSError or sqlite3.OperationalError where the folder
        cannot be written: what was sorted before is noted. Then open the folder anew before the next try.
        """
        for start in range(0, len(results), BATCH):
            self._sort_batch(results[start : start + BATCH], report)

    def _sort_batch(self, results: Sequence[Result], report: SortReport) -> None:
        plans = [plan for result in results if (plan := self._plan(result, report)) is not None]
        if self._is_rehearsal:
            for plan in plans:
                self._count(plan, report)
                self.manifest.write(replace(plan.photo, placed=True, former=None))
            return
        self.manifest.commit()
        touched: set[Path] = set()
        try:
            for plan in plans:
                self._carry_out(plan, report)
                touched.add(self.folder / plan.photo.folder)
        finally:
            with contextlib.suppress(sqlite3.OperationalError):  # the next run finds out by itself
                self.manifest.commit()
        for folder in touched:
            sync_folder(folder)

    def _plan(self, result: Result, report: SortReport) -> _Plan | None:
        """Note where a photo shall lie; return None where there is nothing to do."""
        sha256 = result["sha256"]
        label, is_unsure = _find_label(result)
        if sha256 is None or not result["present"] or not (label or is_unsure):
            report.left_out += 1
            return None
        folder = self._choose_folder(None if is_unsure else label)
        report.unsure += is_unsure
        before = self.manifest.find(sha256)
        is_there = before is not None and (not before.placed or os.path.lexists(self.folder / before.path))
        if before is not None and is_there and before.folder == folder:
            report.already += 1
            return None
        path = possible_names(result["file"])[0]
        names = file_names(shown_name(path.rpartition(b"/")[2]), sha256)
        free = [name for name in names if self._is_free(f"{folder}/{name}", sha256)]
        if not free:
            report.note_failure(result["file"], f"all names for it are taken in {folder}")
            return None
        source = os.path.abspath(os.fsencode(self._inbox)) + b"/" + path
        if before is not None and is_there:
            photo = replace(before, path=f"{folder}/{free[0]}", placed=False, former=before.path)
        else:
            photo = PlacedPhoto(sha256, f"{folder}/{free[0]}", self._kind, source, placed=False)
        self.manifest.write(photo)
        return _Plan(photo, result, free[1:])

    def _choose_folder(self, label: str | None) -> str:
        """Return the folder of a label, of None that for unsure photos; note it where it is new."""
        known = self.manifest.find_folder(label)
        if known is not None:
            return known
        name = UNSURE if label is None else label_folder(label)
        if label is not None and not self.manifest.is_folder_free(fold(name)):
            name = distinct_folder(label)
        self.manifest.write_folder(name, fold(name), label, made=not (self.folder / name).exists())
        return name

    def _is_free(self, path: str, sha256: str) -> bool:
        holder = self.manifest.find_path(path)
        if holder is not None:
            return holder.sha256 == sha256
        return not os.path.lexists(self.folder / path)

    def _carry_out(self, plan: _Plan, report: SortReport) -> None:
        """Make what was planned, and note it."""
        photo = plan.photo
        if photo.folder not in self._made:
            (self.folder / photo.folder).mkdir(exist_ok=True)
            self._made.add(photo.folder)
        temporary = self.folder / f"{TEMPORARY}{photo.sha256[:16]}.part"
        if photo.former is not None:
            ready = self.folder / photo.former
        else:
            ready = temporary
            try:
                path = possible_names(plan.result["file"])[0]
                modified = _milliseconds(plan.result["modified_at"])
                prepare(Kind(photo.kind), self._inbox, path, photo.sha256, modified, temporary)
            except SkippedError as error:
                temporary.unlink(missing_ok=True)
                self.manifest.remove(photo)
                report.note_failure(plan.result["file"], str(error))
                report.unreadable += isinstance(error, UnreadableError)
                return
            except (LinkError, OSError):
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
                self.manifest.remove(photo)
                raise
        while not claim(ready, self.folder / photo.path):
            if not plan.names:
                self._give_up(photo, ready)
                report.note_failure(plan.result["file"], f"all names for it are taken in {photo.folder}")
                return
            photo = plan.photo = replace(photo, path=f"{photo.folder}/{plan.names[0]}")
            plan.names = plan.names[1:]
            self.manifest.write(photo)
            self.manifest.commit()  # what is planned has to be on the disk before it is done
        self.manifest.write(replace(photo, placed=True, former=None))
        self._count(plan, report)

    def _give_up(self, photo: PlacedPhoto, ready: Path) -> None:
        if photo.former is not None:
            self.manifest.write(replace(photo, path=photo.former, placed=True, former=None))
        else:
            ready.unlink(missing_ok=True)
            self.manifest.remove(photo)

    def _count(self, plan: _Plan, report: SortReport) -> None:
        if plan.photo.former is None:
            report.placed += 1
        else:
            report.moved += 1
        report.labels[plan.photo.folder] = report.labels.get(plan.photo.folder, 0) + 1


def open_manifest(folder: Path) -> Manifest:
    """Open a folder's manifest, made true again after a run that was interrupted. Raise as `Manifest`; OSError."""
    remove_temporary(folder)
    manifest = Manifest(folder)
    try:
        for photo in manifest.list_planned():
            _settle(manifest, folder, photo)
        manifest.commit()
    except BaseException:
        manifest.close()
        raise
    return manifest


def _settle(manifest: Manifest, folder: Path, photo: PlacedPhoto) -> None:
    """Find out whether a photo that was planned was placed."""
    path = folder / photo.path
    if photo.former is None:
        if is_ours(path, photo.kind, photo.sha256, photo.source):
            manifest.write(replace(photo, placed=True))
        else:
            manifest.remove(photo)
        return
    former = folder / photo.former
    if not os.path.lexists(former) and os.path.lexists(path):
        manifest.write(replace(photo, placed=True, former=None))
    elif os.path.lexists(path) and os.path.samestat(former.lstat(), path.lstat()):
        former.unlink()  # it had both names when the run ended
        manifest.write(replace(photo, placed=True, former=None))
    elif os.path.lexists(former):
        manifest.write(replace(photo, path=photo.former, placed=True, former=None))
    else:
        manifest.remove(photo)


def _find_label(result: Result) -> tuple[str | None, bool]:
    """Return the label that counts, and whether it is none since the model or a person is not sure."""
    word = result["reviewed"]
    if word is not None:
        return word["label"], word["label"] is None
    return result["label"], bool(result["unsure"])


def _milliseconds(iso: str | None) -> int | None:
    return None if iso is None else round(datetime.fromisoformat(iso).timestamp() * 1000)
