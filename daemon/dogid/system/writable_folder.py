"""Find out before a long run whether its results can be written."""

import tempfile
from pathlib import Path

from dogid.errors import UsageError


def check_writable(folder: Path) -> None:
    """Raise UsageError where files cannot be written into folder, which need not exist yet. Leaves no trace."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise UsageError(f"{place} is a file: give a folder")
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(f"{place}: {error.strerror}: nothing can be written there; give another folder") from error


def check_file_writable(path: Path) -> None:
    """Raise UsageError where a file cannot be written at path, whose folder must exist. Leaves no trace."""
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent}: no such folder to write {path.name} into; is a disk not mounted?")
    check_writable(path.parent)
