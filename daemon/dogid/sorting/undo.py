"""Taking a sorted folder back: what dogid made there and is unchanged goes, and nothing else."""

import contextlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dogid.errors import UsageError
from dogid.sorting.interrupted import open_manifest
from dogid.sorting.manifest import FILE_NAME, Manifest, PlacedPhoto
from dogid.sorting.placing import Kind, hash_file, is_ours
from dogid.sorting.sorter import LOCK, MADE_ROOT
from dogid.system.file_lock import holding_file_lock

_BATCH = 200  # removals between two commits; after a kill, rows are left of files that are gone: no harm
_MOST_NAMED = 100


@dataclass(slots=True)
class UndoReport:
    """What was removed, and what was kept."""

    removed: int = 0
    gone: int = 0
    """That were not there any more."""
    kept: int = 0
    reasons: list[str] = field(default_factory=list)
    """Of the first that were kept, with their paths."""


def undo_sort(folder: Path, on_photo: Callable[[int, int], None], *, is_rehearsal: bool = False) -> UndoReport:
    """Remove from a sorted folder what dogid made and is unchanged: photos, folders that are empty, the manifest.

    on_photo is called with how many photos were looked at, and how many there are. With is_rehearsal nothing is
    removed, and the report says what would be.

    A copy whose original is not in its place, and the last name of a hard link, stay: they may be all that is left of a
    photo. Raise UsageError, BlockingIOError where a process sorts into it, OSError, sqlite3.OperationalError.
    """
    if not (folder / FILE_NAME).is_file():
        raise UsageError(f"{folder}: there is no {FILE_NAME}, so that nothing there is known to be dogid's")
    report = UndoReport()
    with contextlib.nullcontext() if is_rehearsal else holding_file_lock(folder / LOCK):
        manifest = Manifest(folder, is_rehearsal=True) if is_rehearsal else open_manifest(folder)
        try:
            total = manifest.count()
            for number, photo in enumerate(manifest.iterate(), start=1):
                reason = _explain_kept(folder, photo, report)
                if reason is None and not is_rehearsal:
                    (folder / photo.path).unlink(missing_ok=True)
                if reason is None:
                    manifest.remove(photo)
                else:
                    report.kept += 1
                    if len(report.reasons) < _MOST_NAMED:
                        report.reasons.append(f"{photo.path}: {reason}")
                if number % _BATCH == 0:
                    manifest.commit()
                on_photo(number, total)
            if is_rehearsal:
                return report
            manifest.commit()
            for name in manifest.list_made_folders():
                with contextlib.suppress(OSError):  # something of others' is in it
                    (folder / name).rmdir()
            made_root = manifest.read_setting(MADE_ROOT) == "1"
        finally:
            manifest.close()
        if report.kept == 0:
            for name in (FILE_NAME, LOCK):
                (folder / name).unlink(missing_ok=True)
    if report.kept == 0 and made_root:
        with contextlib.suppress(OSError):  # now that LOCK is closed: until then FUSE and NFS keep a deleted file there
            folder.rmdir()
    return report


def _explain_kept(folder: Path, photo: PlacedPhoto, report: UndoReport) -> str | None:
    """Return why one photo is kept; None where it is to be removed, or gone, which is counted."""
    path = folder / photo.path
    if not os.path.lexists(path):
        report.gone += 1
        return None
    if not is_ours(path, photo.kind, photo.sha256, photo.source):
        return "it was changed since"
    if photo.kind == Kind.COPY and not _has_original(path, photo):
        return f"its original is not at {os.fsdecode(photo.source)} any more"
    if photo.kind == Kind.HARDLINK and path.lstat().st_nlink == 1:
        return "its original was deleted, and this is the last name of the file"
    report.removed += 1
    return None


def _has_original(path: Path, photo: PlacedPhoto) -> bool:
    """Return whether the content of a copy is also where it was copied from, in a file of its own."""
    try:
        original, copy = os.lstat(photo.source), path.lstat()
        if not stat.S_ISREG(original.st_mode) or os.path.samestat(original, copy):
            return False  # a link to the copy
        is_same = (original.st_size, original.st_mtime_ns) == (copy.st_size, copy.st_mtime_ns)
        return is_same or hash_file(Path(os.fsdecode(photo.source))) == photo.sha256
    except OSError:
        return False
