"""Photos in folders by label: a person's label goes before the model's, and the same content comes once.

Failed and pending photos are left out; those about which the model or a person is not sure have a folder of their own.
"""

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dogid.errors import UsageError
from dogid.file_names import possible_names, shown_name
from dogid.result_document import Result
from dogid.sorting.folder_names import UNSURE, distinct_folder, file_names, fold, label_folder
from dogid.sorting.interrupted import open_manifest, settle_planned
from dogid.sorting.manifest import FILE_NAME, Manifest, PlacedPhoto
from dogid.sorting.placing import (
    TEMPORARY,
    Kind,
    LinkError,
    SkippedError,
    UnreadableError,
    check_disk,
    claim,
    hash_file,
    is_ours,
    prepare,
)
from dogid.sorting.sort_report import SortReport
from dogid.system.atomic_files import sync_folder
from dogid.system.file_lock import holding_file_lock

BATCH = 50
"""Photos that are planned in one transaction. More are found out anew after a kill; fewer wait for the disk more."""

LOCK = ".dogid-sort.lock"
"""Held by the process that changes the folder."""
MADE_ROOT = "made_root"
"""Setting in the manifest: whether dogid made the folder itself (1)."""


@dataclass(slots=True)
class _Plan:
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

    def __init__(
        self, folder: Path, inbox: Path, kind: Kind, *, replaces_kinds: bool = False, is_rehearsal: bool = False
    ) -> None:
        """Set up; with replaces_kinds photos that are there as another kind are made anew.

        With is_rehearsal nothing is made, and the report says what would be.
        """
        self.folder = folder
        self._replaces_kinds = replaces_kinds
        self._new_parents: list[Path] = []
        self._is_new = False
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
                self._new_parents = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
                self._stack.callback(self._remove_parents)
                self.folder.mkdir(parents=True, exist_ok=True)
                self._stack.enter_context(holding_file_lock(self.folder / LOCK))
                self.manifest = open_manifest(self.folder)
                if self.manifest.read_setting(MADE_ROOT) is None:
                    self._is_new = True
                    self.manifest.note_setting(MADE_ROOT, str(int(bool(self._new_parents))))
                    self.manifest.commit()
            self._stack.callback(self.manifest.close)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the folder, without folders that are empty by now; where an error came first of all, leave nothing."""
        with self._stack:
            if self._is_rehearsal:
                return
            with contextlib.suppress(sqlite3.Error):
                for name in self.manifest.list_made_folders():
                    with contextlib.suppress(OSError):  # it is not empty, or gone already
                        (self.folder / name).rmdir()
                if self._is_new and kind is not None and self._is_empty():
                    self.manifest.close()
                    for name in (FILE_NAME, LOCK):
                        (self.folder / name).unlink(missing_ok=True)

    def _is_empty(self) -> bool:
        """Return whether nothing was placed, also not what a failure left planned."""
        settle_planned(self.manifest, self.folder)
        return self.manifest.count() == 0

    def _remove_parents(self) -> None:
        """Remove the folders that were made for this run, where they are empty."""
        with contextlib.suppress(OSError):
            for path in self._new_parents:
                path.rmdir()

    def sort(self, results: Sequence[Result], report: SortReport) -> None:
        """Place, or move, the photos of some results, and count them in the report.

        Raise LinkError where this kind cannot be made there, OSError or sqlite3.OperationalError where the folder
        cannot be written: what was sorted before is noted. Then open the folder anew before the next try.
        """
        for start in range(0, len(results), BATCH):
            rest: Sequence[Result] = results[start : start + BATCH]
            while rest:
                rest = self._sort_batch(rest, report)

    def _sort_batch(self, results: Sequence[Result], report: SortReport) -> list[Result]:
        """Sort the first result of each content; return those that are left, to be planned by what came of these."""
        plans: list[_Plan] = []
        planned: set[str] = set()
        rest: list[Result] = []
        for result in results:
            if result["sha256"] in planned:
                rest.append(result)
            elif (plan := self._plan(result, report)) is not None:
                plans.append(plan)
                planned.add(plan.photo.sha256)
        self._carry_out_all(plans, report)
        if self._replaces_kinds:
            rest += [
                plan.result
                for plan in plans
                if plan.is_move and plan.photo.kind != self._kind and plan.result["present"]
            ]
        return rest

    def _carry_out_all(self, plans: Sequence[_Plan], report: SortReport) -> None:
        if self._is_rehearsal:
            for plan in plans:
                if plan.photo.kind == Kind.HARDLINK and not plan.is_move:
                    check_disk(plan.photo.source, self.folder)
                self._count(plan, report)
                self.manifest.write(replace(plan.photo, former=None))
            return
        self.manifest.commit()
        touched: set[Path] = set()
        try:
            for plan in plans:
                if plan.before is None:
                    self._carry_out(plan, report)
                else:
                    self._remake(plan, plan.before, report)
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
        before = None if sha256 is None else self.manifest.find(sha256)
        if before is not None and before.placed and not os.path.lexists(self.folder / before.path):
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
        names = file_names(shown_name(path.rpartition(b"/")[2]), sha256)
        free = [name for name in names if self._is_free(f"{folder}/{name}", sha256)]
        if not free:
            report.note_failure(result["file"], f"all names for it are taken in {folder}")
            return None
        if before is not None:
            source = before.source if before.kind == Kind.SYMLINK else source
            photo = replace(before, path=f"{folder}/{free[0]}", placed=False, former=before.path, source=source)
        else:
            photo = PlacedPhoto(sha256, f"{folder}/{free[0]}", self._kind, source, placed=False)
        self.manifest.write(photo)
        return _Plan(photo, result, names=free[1:])

    def _plan_anew(self, before: PlacedPhoto, source: bytes, result: Result, report: SortReport) -> _Plan | None:
        """Note that a photo is to be made anew in its place; return None where it may stay as it is."""
        kind = self._kind if self._replaces_kinds else Kind(before.kind)
        is_dangling = before.kind == Kind.SYMLINK and source != before.source
        path = os.path.abspath(os.fsencode(self._inbox)) + b"/" + possible_names(result["file"])[0]
        if not result["present"] or path != source or not (kind != before.kind or is_dangling):
            if source != before.source:
                self.manifest.write(replace(before, source=source))
            report.already += 1
            return None
        photo = replace(before, kind=kind, source=source, placed=False, former=before.path)
        self.manifest.write(photo)
        return _Plan(photo, result, before)

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
        temporary = self._temporary(photo)
        if photo.former is not None and os.path.lexists(self.folder / photo.former):
            ready = self.folder / photo.former
        else:
            photo = plan.photo = replace(photo, former=None)
            ready = temporary
            try:
                self._prepare(plan, temporary)
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

    def _remake(self, plan: _Plan, before: PlacedPhoto, report: SortReport) -> None:
        """Make a photo anew in its place: it is there as before until the other one is whole."""
        photo, path, temporary = plan.photo, self.folder / before.path, self._temporary(plan.photo)
        try:
            if not is_ours(path, before.kind, before.sha256, before.source):
                raise SkippedError("its copy or link was changed since, and stays as it is")
            self._prepare(plan, temporary)
            is_link_for_file = photo.kind != Kind.COPY and before.kind != Kind.SYMLINK
            if is_link_for_file and hash_file(temporary) != photo.sha256:
                raise SkippedError("it has changed since it was classified")
            temporary.replace(path)
        except SkippedError as error:
            temporary.unlink(missing_ok=True)
            self.manifest.write(before)
            report.note_failure(plan.result["file"], str(error))
            report.unreadable += isinstance(error, UnreadableError)
            return
        except (LinkError, OSError):
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            self.manifest.write(before)
            raise
        temporary.unlink(missing_ok=True)  # a rename between two names of one file leaves both
        self.manifest.write(replace(photo, placed=True, former=None))
        self._count(plan, report)

    def _prepare(self, plan: _Plan, temporary: Path) -> None:
        path, modified = possible_names(plan.result["file"])[0], _milliseconds(plan.result["modified_at"])
        prepare(Kind(plan.photo.kind), self._inbox, path, plan.photo.sha256, modified, temporary)

    def _temporary(self, photo: PlacedPhoto) -> Path:
        return self.folder / f"{TEMPORARY}{photo.sha256[:16]}.part"

    def _give_up(self, photo: PlacedPhoto, ready: Path) -> None:
        if photo.former is not None:
            self.manifest.write(replace(photo, path=photo.former, placed=True, former=None))
        else:
            ready.unlink(missing_ok=True)
            self.manifest.remove(photo)

    def _count(self, plan: _Plan, report: SortReport) -> None:
        if plan.before is not None:
            report.replaced += 1
            return
        if plan.photo.former is None:
            report.placed += 1
        else:
            report.moved += 1
        report.labels[plan.photo.folder] = report.labels.get(plan.photo.folder, 0) + 1


def _find_label(result: Result) -> tuple[str | None, bool]:
    """Return the label that counts, and whether it is none since the model or a person is not sure."""
    word = result["reviewed"]
    if word is not None:
        return word["label"], word["label"] is None
    return result["label"], bool(result["unsure"])


def _milliseconds(iso: str | None) -> int | None:
    return None if iso is None else round(datetime.fromisoformat(iso).timestamp() * 1000)
