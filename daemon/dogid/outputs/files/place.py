"""Where an output may write, and why it cannot at present, for people."""

import errno
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from dogid.conditions import find_unit
from dogid.outputs.files.sandbox import allow_writing, is_hidden, read_sandbox, show_elsewhere
from dogid.outputs.output import OutputConfigError, OutputContext, OutputError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})


def read_place(key: str, text: str, context: OutputContext) -> Path:
    """Return the path that a key of an output's table names. Raise OutputConfigError where it may not write there."""
    path = Path(text)
    if not path.is_absolute():
        raise OutputConfigError(f"{key}: must be a whole path, which begins with /")
    place = path.resolve()
    for other, what in ((context.inbox, "inbox"), (_state_of(context), "state folder")):
        if place.is_relative_to(other.resolve()):
            raise OutputConfigError(f"{key}: {text} lies in the {what}: name a place elsewhere")
        if other.resolve().is_relative_to(place):  # what is written into it could come to lie there
            raise OutputConfigError(f"{key}: {text} holds the {what}: name a folder beside it")
    return path


class OutputFolder:
    """The folder that an output writes in. It is never made: where its disk is not mounted, its place would fill."""

    def __init__(self, path: Path, context: OutputContext) -> None:
        """Set up without looking at it."""
        self.path = path
        self._state = _state_of(context)
        self._unit = find_unit(self._state)

    def require(self) -> None:
        """Raise OutputError where this process cannot write there."""
        try:
            if not self.path.is_dir():
                raise FileNotFoundError(errno.ENOENT, "No such folder")
            if not os.access(self.path, os.W_OK | os.X_OK):
                number = errno.EROFS if os.statvfs(self.path).f_flag & os.ST_RDONLY else errno.EACCES
                raise OSError(number, os.strerror(number))
        except OSError as error:
            raise self.explain(error, self.path) from error

    def check(self) -> str:
        """Return what is said of it for `dogid check`, which may run outside of the service and as another user.

        Raise OutputError where the daemon cannot write there.
        """
        self.require()
        if self._unit is not None and os.geteuid() == 0:
            sandbox = read_sandbox(self._unit)
            reason = None if sandbox is None else sandbox.find_forbidding(self.path)
            if reason is not None:
                raise OutputError(f"{self.path}: {reason}")
            if sandbox is not None and sandbox.has_own(self.path):
                return f"{self.path} is shown to the service by BindPaths; `dogid outputs` says whether it can write"
            if not _is_writable_for_owner_of(self._state, self.path):
                raise self.explain(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), self.path)
        return f"{self.path} can be written, with {shutil.disk_usage(self.path).free / 1e9:.1f} GB free"

    def explain(self, error: OSError, path: Path) -> OutputError:
        """Return the error of an output that cannot write path, the folder or what is below, with the way out."""
        reason = error.strerror or str(error)
        if error.errno == errno.EWOULDBLOCK:
            return OutputError(f"{path}: another output writes there: name another file")
        if error.errno in _FULL:
            return OutputError(f"{path}: {reason}: make room")
        if error.errno in (*_MISSING, *_REFUSED) and self._unit is not None and is_hidden(self.path):
            return OutputError(f"{path}: {reason}: {show_elsewhere(self.path, self._unit)}")
        if error.errno in _MISSING:
            return OutputError(f"{path}: {reason}: make its folder, or mount its disk")
        if error.errno in _REFUSED:
            user = "the daemon's user" if self._unit is None else "the user dogid"
            return OutputError(f"{path}: {reason}: give {user} the right to write there")
        if error.errno == errno.EROFS and self._unit is not None:
            return OutputError(f"{path}: {reason}: {allow_writing(self.path, self._unit)}")
        if error.errno == errno.EROFS:
            return OutputError(f"{path}: {reason}: mount its disk for writing")
        return OutputError(f"{path}: {reason}")


def _state_of(context: OutputContext) -> Path:
    return context.folder.parent.parent


def _is_writable_for_owner_of(state: Path, folder: Path) -> bool:
    """Given the state folder, whose owner is the daemon's user, return whether that user can write in a folder."""
    user = pwd.getpwuid(state.stat().st_uid)
    groups = os.getgrouplist(user.pw_name, user.pw_gid)
    command = ["/usr/bin/test", "-w", str(folder), "-a", "-x", str(folder)]
    done = subprocess.run(command, user=user.pw_uid, group=user.pw_gid, extra_groups=groups, check=False)  # noqa: S603
    return done.returncode == 0
