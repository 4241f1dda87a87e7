"""Carries out plans: makes or moves the photos of a sorted folder, and notes each in the manifest once it is done."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dogid.file_names import possible_names
from dogid.sorting.manifest import Manifest, PlacedPhoto
from dogid.sorting.placing import (
    TEMPORARY,
    Kind,
    LinkError,
    SkippedError,
    UnreadableError,
    claim,
    hash_file,
    is_ours,
    prepare,
)
from dogid.sorting.planning import Plan
from dogid.sorting.sort_report import SortReport


class Placer:
    """Carries out plans in one folder."""

    def __init__(self, folder: Path, inbox: Path, manifest: Manifest) -> None:
        """Set up. The manifest has what is planned."""
        self._folder = folder
        self._inbox = inbox
        self._manifest = manifest
        self._made: set[str] = set()

    def carry_out(self, plan: Plan, report: SortReport) -> None:
        """Make what was planned, note it, and count it in the report; a photo that cannot be read is reported.

        Raise LinkError where this kind cannot be made there, OSError or sqlite3.OperationalError where the folder
        cannot be written.
        """
        if plan.before is None:
            self._place(plan, report)
        elif self._make(plan, self._replace, report):
            self._temporary(plan).unlink(missing_ok=True)  # a rename between two names of one file leaves both
            self._note_done(plan, report)

    def _place(self, plan: Plan, report: SortReport) -> None:
        """Give a photo its name in its folder: it is made for it, or moved from where it lies."""
        photo = plan.photo
        if photo.folder not in self._made:
            (self._folder / photo.folder).mkdir(exist_ok=True)
            self._made.add(photo.folder)
        if photo.former is not None and os.path.lexists(self._folder / photo.former):
            ready = self._folder / photo.former
        else:
            plan.photo = replace(photo, former=None)
            if not self._make(plan, self._prepare, report):
                return
            ready = self._temporary(plan)
        while not claim(ready, self._folder / plan.photo.path):
            if not plan.names:
                self._give_up(plan.photo, ready)
                report.note_failure(plan.result["file"], f"all names for it are taken in {photo.folder}")
                return
            plan.photo = replace(plan.photo, path=f"{photo.folder}/{plan.names[0]}")
            plan.names = plan.names[1:]
            self._manifest.write(plan.photo)
            self._manifest.commit()  # what is planned has to be on the disk before it is done
        self._note_done(plan, report)

    def _make(self, plan: Plan, make: Callable[[Plan], None], report: SortReport) -> bool:
        """Have a planned photo made; where that fails, leave nothing of it, and take the plan back.

        Return False where this photo alone is passed over. Raise LinkError, OSError.
        """
        temporary = self._temporary(plan)
        try:
            make(plan)
        except SkippedError as error:
            temporary.unlink(missing_ok=True)
            self._take_back(plan)
            report.note_failure(plan.result["file"], str(error))
            report.unreadable += isinstance(error, UnreadableError)
            return False
        except (LinkError, OSError):
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._take_back(plan)
            raise
        return True

    def _prepare(self, plan: Plan) -> None:
        """Make the photo whole, at its temporary path."""
        path, modified = possible_names(plan.result["file"])[0], _milliseconds(plan.result["modified_at"])
        prepare(Kind(plan.photo.kind), self._inbox, path, plan.photo.sha256, modified, self._temporary(plan))

    def _replace(self, plan: Plan) -> None:
        """Make a photo anew in its place: it is there as before until the other one is whole."""
        before = plan.before
        assert before is not None
        path, temporary = self._folder / before.path, self._temporary(plan)
        if not is_ours(path, before.kind, before.sha256, before.source):
            raise SkippedError("its copy or link was changed since, and stays as it is")
        self._prepare(plan)
        is_link_for_file = plan.photo.kind != Kind.COPY and before.kind != Kind.SYMLINK
        if is_link_for_file and hash_file(temporary) != plan.photo.sha256:
            raise SkippedError("it has changed since it was classified")
        temporary.replace(path)

    def _take_back(self, plan: Plan) -> None:
        if plan.before is None:
            self._manifest.remove(plan.photo)
        else:
            self._manifest.write(plan.before)

    def _give_up(self, photo: PlacedPhoto, ready: Path) -> None:
        if photo.former is not None:
            self._manifest.write(replace(photo, path=photo.former, placed=True, former=None))
        else:
            ready.unlink(missing_ok=True)
            self._manifest.remove(photo)

    def _note_done(self, plan: Plan, report: SortReport) -> None:
        self._manifest.write(replace(plan.photo, placed=True, former=None))
        plan.count_in(report)

    def _temporary(self, plan: Plan) -> Path:
        return self._folder / f"{TEMPORARY}{plan.photo.sha256[:16]}.part"


def _milliseconds(iso: str | None) -> int | None:
    return None if iso is None else round(datetime.fromisoformat(iso).timestamp() * 1000)
