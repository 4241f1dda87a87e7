"""Whether the inbox can be read, and why a file in it does not count."""

import errno
import os
from pathlib import Path

from dogid.conditions import inbox_unreadable, link_out_of_inbox, link_to_photo, linked_folder
from dogid.file_names import shown_name
from dogid.inbox.scan import find_file, own_name


def inbox_problem(inbox: Path) -> str | None:
    """Return why the inbox cannot be read, with the way out; None where it can."""
    try:
        with os.scandir(inbox):
            if not os.access(inbox, os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return None
    except OSError as error:
        return inbox_unreadable(inbox, error)


def link_problem(inbox: Path, path: bytes) -> str | None:
    """Return why links keep the file at a path relative to the inbox from being a photo; None where none do."""
    root = os.fsencode(inbox)
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        folder = b"/".join(parts[:count])
        if os.path.islink(os.path.join(root, folder)):
            return linked_folder(shown_name(folder))
    full = os.path.join(root, path)
    if not os.path.islink(full):
        return None
    if os.path.isdir(full):
        return linked_folder(shown_name(path))
    target = own_name(inbox, path)
    if target is not None:
        return link_to_photo(shown_name(target))
    return None if find_file(inbox, path) else link_out_of_inbox(shown_name(os.readlink(full)))
