"""Whether the inbox and its folders can be read, and why a file in it does not count."""

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dogid.conditions import (
    folder_unreadable,
    inbox_unreadable,
    link_out_of_inbox,
    link_to_nothing,
    link_to_photo,
    linked_folder,
    links_out_of_inbox,
    not_a_photo,
)
from dogid.file_names import shown_name
from dogid.inbox.ignored_names import is_ignored
from dogid.inbox.permissions import chmod_hint
from dogid.inbox.scan import find_file, own_name

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NEEDED = os.R_OK | os.X_OK  # of a folder: to list its files, and to open them


def inbox_problem(inbox: Path) -> str | None:
    """Return why the inbox cannot be read, with the way out; None where it can."""
    try:
        with os.scandir(inbox):
            if not os.access(inbox, os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return None
    except OSError as error:
        return inbox_unreadable(inbox, error)


def describe_unreadable_folder(inbox: Path, folder: bytes, reason: str) -> str:
    """Return the message for a folder, relative to the inbox, that cannot be read for a reason, with the way out."""
    full = os.path.join(os.fsencode(inbox), folder)
    return folder_unreadable(shown_name(full), reason, None if os.access(full, _NEEDED) else chmod_hint(full))


def find_unreadable_folder(inbox: Path) -> str | None:
    """Return the message for a folder in the inbox that may not be read; None where there is none."""
    for folder, folders, _ in os.walk(os.fsencode(inbox)):
        folders[:] = [name for name in folders if not is_ignored(name)]
        for name in folders:
            full = os.path.join(folder, name)
            if not os.path.islink(full) and not os.access(full, _NEEDED):
                return folder_unreadable(shown_name(full), os.strerror(errno.EACCES), chmod_hint(full))
    return None


def folder_problem(inbox: Path, path: bytes) -> str | None:
    """Return why a folder above the file at a path relative to the inbox cannot be read; None where all can."""
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        folder = b"/".join(parts[:count])
        full = os.path.join(os.fsencode(inbox), folder)
        if os.path.isdir(full) and not os.access(full, _NEEDED):
            return describe_unreadable_folder(inbox, folder, os.strerror(errno.EACCES))
    return None


def kind_problem(inbox: Path, path: bytes) -> str | None:
    """Return why the folder or special file at a path relative to the inbox is no photo; None where it is neither."""
    try:
        mode = os.lstat(os.path.join(os.fsencode(inbox), path)).st_mode
    except (OSError, ValueError):
        return None
    kind = _KINDS.get(stat.S_IFMT(mode))
    return None if kind is None else not_a_photo(kind)


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
    if target is not None and find_file(inbox, target):
        return link_to_photo(shown_name(target))
    if find_file(inbox, path):
        return None
    message = link_out_of_inbox if _leads_out(inbox, path) else link_to_nothing
    return message(shown_name(os.readlink(full)))


def describe_link_out(inbox: Path, path: bytes) -> str | None:
    """Return the message for a link at a path relative to the inbox that leads out of it; None where it does not."""
    if not _leads_out(inbox, path):
        return None
    problem = link_problem(inbox, path)
    is_folder = os.path.isdir(os.path.join(os.fsencode(inbox), path))
    return problem if problem is None or is_folder else f"{shown_name(path)}: {problem}"


def describe_links_out(inbox: Path, links: Sequence[bytes]) -> str | None:
    """Return how many links, of those that a scan left out, lead out of the inbox, with an example; None for none."""
    return summarise_links_out(inbox, select_links_out(inbox, links))


def summarise_links_out(inbox: Path, out: Sequence[bytes]) -> str | None:
    """Return how many links lead out of the inbox, given just those, with an example; None for none."""
    example = next((problem for path in out if (problem := describe_link_out(inbox, path))), None)
    return None if example is None else links_out_of_inbox(len(out), example)


def select_links_out(inbox: Path, links: Sequence[bytes]) -> list[bytes]:
    """Return the links, of those that a scan left out, that lead out of the inbox."""
    root = os.fsencode(inbox)
    inside = os.path.realpath(root).rstrip(b"/") + b"/"  # once for all: it takes as long as a link does
    return [path for path in links if not (os.path.realpath(os.path.join(root, path)) + b"/").startswith(inside)]


def find_links_out(inbox: Path) -> str | None:
    """Return how many links lead out of an inbox, with an example, by the rules of a scan; None where none do."""
    root, waiting, links = os.fsencode(inbox), [b""], []
    while waiting:
        at = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(os.path.join(root, at)) as entries:
            for entry in entries:
                path = os.path.join(at, entry.name)
                if is_ignored(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif entry.is_symlink():
                    links.append(path)
    return describe_links_out(inbox, links)


def _leads_out(inbox: Path, path: bytes) -> bool:
    return bool(select_links_out(inbox, [path]))
