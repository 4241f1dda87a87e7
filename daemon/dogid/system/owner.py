"""Working in a folder as the user whose folder it is, where root was asked to."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def acting_as_owner(folder: Path) -> Iterator[None]:
    """Have root act as the owner of folder, or of the nearest folder above it that exists, while the context lasts.

    What is made there is the owner's then; and links that the owner puts in the way lead nowhere that is not open to
    the owner. Others than root stay who they are. Raise OSError where a sandbox keeps root from becoming another user.
    """
    owner = next(path for path in (folder, *folder.parents) if path.exists()).stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
