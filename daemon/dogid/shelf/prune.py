"""Removing models that dogid has put on the shelf and that are not needed any more."""

import contextlib
import logging
from collections.abc import Iterator, Set
from pathlib import Path

from dogid.errors import DogidError
from dogid.shelf.folder import models_on_shelf, read_note, remove_model, shelf_folder, unfinished_files
from dogid.shelf.pointer import Pointer, read_pointer
from dogid.system.file_lock import holding_file_lock

log = logging.getLogger(__name__)

_LOCK = ".shelf.lock"
_PATIENCE = 30.0  # seconds; an activation takes as long as every worker needs to prove the model
_KEPT = 5
"""Newest ones that stay whether or not they were active. More take room on a small disk, fewer leave less choice."""


@contextlib.contextmanager
def changing_shelf(state: Path) -> Iterator[None]:
    """Let no other process activate or remove models while the context lasts. Raise DogidError where one does."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding_file_lock(shelf_folder(state) / _LOCK, _PATIENCE))
        except OSError as error:
            raise DogidError(
                f"{shelf_folder(state)}: cannot be locked, try again: {error.strerror or error}"
            ) from error
        yield


def prune_shelf(state: Path, kept: Set[Path]) -> None:
    """Remove old models as `remove_old_models` while no model is being activated; none where that is not known."""
    try:
        with changing_shelf(state):
            remove_old_models(state, read_pointer(state), kept)
    except DogidError as error:
        log.warning("old models stay on the shelf: %s", error)


def remove_old_models(state: Path, pointer: Pointer, kept: Set[Path] = frozenset()) -> list[str]:
    """Remove models that dogid has added but for the newest, the active one and those before it; return their names.

    kept: further files that stay. Models that the user has put there, or downloaded by name, all stay.
    """
    added = {path: note for path in models_on_shelf(state) if (note := read_note(path)) is not None and note.is_own}
    newest = sorted(added, key=lambda path: added[path].added_at, reverse=True)
    for path in unfinished_files(state):
        with contextlib.suppress(OSError):
            path.unlink()
    stay, removed = {path.resolve() for path in kept}, list[str]()
    for path in newest[_KEPT:]:
        if path.name in pointer.names() or path.resolve() in stay:
            continue
        try:
            remove_model(path)
        except OSError as error:
            log.warning("%s: an old model that cannot be removed: %s", path, error.strerror or error)
        else:
            removed.append(path.name)
    return removed
