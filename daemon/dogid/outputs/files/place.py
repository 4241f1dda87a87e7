"""Where an output may write, and why it cannot at present, for people."""

import errno
import os
import shutil
from pathlib import Path

from dogid.outputs.output import OutputConfigError, OutputContext, OutputError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})


def read_place(key: str, text: str, context: OutputContext) -> Path:
    """Return the path that a key of an output's table names. Raise OutputConfigError where it may not write there."""
    path = Path(text)
    if not path.is_absolute():
        raise OutputConfigError(f"{key}: must be a whole path, which begins with /")
    place = path.resolve()
    for other, what in ((context.inbox, "inbox"), (context.folder.parent.parent, "state folder")):
        if place.is_relative_to(other.resolve()):
            raise OutputConfigError(f"{key}: {text} lies in the {what}: name a place elsewhere")
    return path


def explain_file_fault(path: Path, error: OSError) -> OutputError:
    """Return the error of an output that cannot write a file or folder, with the way out."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return OutputError(f"{path}: {reason}: make room")
    if error.errno in _MISSING:
        return OutputError(f"{path}: {reason}: make its folder, or mount its disk")
    if error.errno in _REFUSED:
        return OutputError(
            f"{path}: {reason}: give the daemon's user the right to write there; the service also needs"
            f" ReadWritePaths={path if path.is_dir() else path.parent} (systemctl edit dogid)"
        )
    return OutputError(f"{path}: {reason}")


def check_folder(folder: Path) -> str:
    """Return what is said of a folder that can be written. Raise OutputError where it cannot.

    It is never made: where a disk is not mounted, its place would be filled instead.
    """
    try:
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "No such folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            number = errno.EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else errno.EACCES
            raise OSError(number, os.strerror(number))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise explain_file_fault(folder, error) from error
    return f"{folder} can be written, with {free / 1e9:.1f} GB free"
