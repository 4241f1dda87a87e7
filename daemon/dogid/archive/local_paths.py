"""The paths of a list's photos on this machine: one spelling for one file, as far as names and links say so."""

import os

from dogid.file_names import possible_names


def shorten_path(path: bytes, folder: bytes = b"") -> bytes:
    """Return a path without `.`, repeated slashes, and each `..` after a folder that is no link.

    After a link, `..` leads out of the link's target, and stays. folder is what a relative path begins at.
    """
    if b".." not in path.split(b"/"):
        path = os.path.normpath(path)
        return path[1:] if path.startswith(b"//") else path
    root = b"/" if path.startswith(b"/") else b""
    kept: list[bytes] = []
    for part in path.split(b"/"):
        if part in (b"", b"."):
            continue
        if part != b"..":
            kept.append(part)
        elif not kept:
            kept += [] if root else [part]  # above the root is the root
        elif kept[-1] == b".." or os.path.islink(os.path.join(folder, root + b"/".join(kept))):
            kept.append(part)
        else:
            kept.pop()
    return root + b"/".join(kept) or b"."


def find_path(folder: str, file: str) -> bytes:
    """Return the path of a file: the first of those that its name may stand for, unless only another is there."""
    paths = [os.path.join(os.fsencode(folder), name) for name in possible_names(file)]
    return next((path for path in paths[1:] if not os.path.lexists(paths[0]) and os.path.lexists(path)), paths[0])
