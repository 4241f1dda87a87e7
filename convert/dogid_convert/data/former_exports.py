"""The numbered manifests in a folder of exports: found, read as this ledger's own, and published."""

import os
import sqlite3
import tempfile
from pathlib import Path

from dogid.clock import iso_utc
from dogid.dataset.label_folders import NUMBERED_MANIFEST
from dogid.errors import DogidError, UsageError
from dogid.quantities import count_of
from dogid.system.atomic_files import sync_folder
from dogid_convert.data.export_names import is_exported_name
from dogid_convert.data.manifest import Manifest, ManifestEntry, read

PLAN = ".export-plan.json"
"""The files that an export may have written, until its manifest is there: those of an interrupted one, too."""


def was_exported_to(folder: Path) -> bool:
    """Return whether an export was written into a folder, or begun."""
    return folder.is_dir() and ((folder / PLAN).exists() or find_last_manifest(folder)[0] is not None)


def holds_other_files(folder: Path) -> bool:
    """Return whether a folder has files, other than hidden ones, and no export was written into it."""
    if not folder.is_dir() or was_exported_to(folder):
        return False
    return any(not path.name.startswith(".") for path in folder.iterdir())


def find_last_manifest(folder: Path) -> tuple[Path | None, int]:
    """Return the newest manifest, and the highest number that a name has, be it a manifest or not."""
    numbers = {int(found[1]): path for path in folder.iterdir() if (found := NUMBERED_MANIFEST.fullmatch(path.name))}
    manifests = [number for number, path in numbers.items() if path.is_file() and not path.is_symlink()]
    return numbers[max(manifests)] if manifests else None, max(numbers, default=0)


def read_own(db: sqlite3.Connection, path: Path) -> Manifest:
    """Read a manifest of this ledger's: every review in it is in the ledger, where none is ever deleted.

    Raise UsageError where it is another's, or names files that no export writes.
    """
    manifest = read(path)
    for file in (*(entry.file for entry in manifest.entries), *manifest.changed):
        if not is_exported_name(file):
            raise UsageError(f"{path} names {file!r}, which no export writes: give another folder")
    rows = db.execute("SELECT sha256, reviewer, at FROM review").fetchall()
    known = {(sha256, by, iso_utc(at)) for sha256, by, at in rows}
    foreign = [entry for entry in manifest.entries if (entry.sha256, *_said(entry)) not in known]
    if foreign:
        raise UsageError(
            f"{path}: {count_of(len(foreign), 'photo')}, such as {foreign[0].file}, got the label in another ledger "
            "than this one (--state), and would lose it: give another folder, or the state that was exported there"
        )
    return manifest


def _said(entry: ManifestEntry) -> tuple[str, str]:
    word = entry.word if isinstance(entry.word, dict) else {}  # anything may stand in a file
    return str(word.get("by")), str(word.get("at"))


def publish(path: Path, data: bytes) -> None:
    """Write a manifest whole, under a name that none has: it is never changed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".manifest-")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o444)
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise DogidError(f"{path}: another export has just written it; run it again") from None
        except OSError:  # a file system without links
            temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
