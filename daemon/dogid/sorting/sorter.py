"""Photos in folders by label: a person's label goes before the model's, and the same content comes once.

Failed and pending photos are left out; those about which the model or a person is not sure have a folder of their own.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dogid.errors import UsageError
from dogid.result_document import Result
from dogid.sorting.interrupted import open_manifest, settle_planned
from dogid.sorting.manifest import FILE_NAME, Manifest
from dogid.sorting.placer import Placer
from dogid.sorting.placing import Kind, check_disk
from dogid.sorting.planning import Plan, Planner
from dogid.sorting.sort_report import SortReport
from dogid.system.atomic_files import sync_folder
from dogid.system.file_lock import holding_file_lock

BATCH = 50
"""Photos that are planned in one transaction. More are found out anew after a kill; fewer wait for the disk more."""

LOCK = ".dogid-sort.lock"
"""Held by the process that changes the folder."""
MADE_ROOT = "made_root"
"""Setting in the manifest: whether dogid made the folder itself (1)."""


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
            self._planner = Planner(
                self.folder,
                self._inbox,
                self.manifest,
                self._kind,
                replaces_kinds=self._replaces_kinds,
                is_rehearsal=self._is_rehearsal,
            )
            self._placer = Placer(self.folder, self._inbox, self.manifest)
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
        plans: list[Plan] = []
        planned: set[str] = set()
        rest: list[Result] = []
        for result in results:
            if result["sha256"] in planned:
                rest.append(result)
            elif (plan := self._planner.plan(result, report)) is not None:
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

    def _carry_out_all(self, plans: Sequence[Plan], report: SortReport) -> None:
        if self._is_rehearsal:
            for plan in plans:
                if plan.photo.kind == Kind.HARDLINK and not plan.is_move:
                    check_disk(plan.photo.source, self.folder)
                plan.count_in(report)
                self.manifest.write(replace(plan.photo, former=None))
            return
        self.manifest.commit()
        touched: set[Path] = set()
        try:
            for plan in plans:
                self._placer.carry_out(plan, report)
                touched.add(self.folder / plan.photo.folder)
        finally:
            with contextlib.suppress(sqlite3.OperationalError):  # the next run finds out by itself
                self.manifest.commit()
        for folder in touched:
            sync_folder(folder)
