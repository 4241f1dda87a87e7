"""Writing files so that nobody ever finds half of one."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dogid.errors import UsageError


def write_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files of these names into folder, in this order, or none where one cannot be written. Raise OSError.

    All are whole on the disk before the first takes its name: a full disk leaves what was there before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in contents:
        if (folder / name).is_dir():  # told now: what was replaced before it would not come back
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
    ready: list[tuple[Path, Path]] = []
    try:
        for name, content in contents.items():
            descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
            ready.append((Path(temporary), folder / name))
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
        for path, final in ready:
            path.replace(final)
    finally:
        for path, _ in ready:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Raise UsageError where files cannot be written into folder, which need not be there yet. Leaves no trace."""
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
