"""The chmod that gives this user the permissions that reading a photo needs."""

import os
import stat

from dogid.file_names import quote_for_shell


def chmod_hint(path: bytes) -> str:
    """Return the chmod command that lets this user read a file or folder, or enter the closed folder above it.

    path: absolute.
    """
    while True:
        try:
            status = os.lstat(path)
            break
        except OSError:  # a folder above is closed
            path = os.path.dirname(path)
    # a folder that was copied with a strict umask is closed with all that is in it
    change, rights = ("chmod -R", "rX") if stat.S_ISDIR(status.st_mode) else ("chmod", "r")
    is_ours, is_groups = status.st_uid == os.geteuid(), status.st_gid in {os.getegid(), *os.getgroups()}
    who = "u" if is_ours else "g" if is_groups else "a"
    return f"{change} {who}+{rights} {quote_for_shell(path)}"
