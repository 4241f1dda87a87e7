"""Removing models that dogid has put on the shelf and that are not needed any more."""

import contextlib
import logging
from pathlib import Path

from dogid.shelf.folder import models_on_shelf, read_note, remove_model, unfinished_files
from dogid.shelf.pointer import Pointer

log = logging.getLogger(__name__)

_KEPT = 5
"""Newest ones that stay whether or not they were active. More take room on a small disk, fewer leave less choice."""


def remove_old_models(state: Path, pointer: Pointer) -> list[str]:
    """Remove models that dogid has added but for the newest, the active one and those before it; return their names.

    Models that the user has put there, or downloaded by name, all stay.
    """
    added = {path: note for path in models_on_shelf(state) if (note := read_note(path)) is not None and note.is_own}
    newest = sorted(added, key=lambda path: added[path].added_at, reverse=True)
    for path in unfinished_files(state):
        with contextlib.suppress(OSError):
            path.unlink()
    removed: list[str] = []
    for path in newest[_KEPT:]:
        if path.name in pointer.names():
            continue
        try:
            remove_model(path)
        except OSError as error:
            log.warning("%s: an old model that cannot be removed: %s", path, error.strerror or error)
        else:
            removed.append(path.name)
    return removed
