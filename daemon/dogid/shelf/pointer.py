"""Which model on the shelf is active, and which were before it: a small file that is replaced as a whole.

One process at a time writes it, the one that has locked the state folder: the daemon, or a command while none runs.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dogid.errors import UsageError
from dogid.shelf.folder import shelf_folder
from dogid.system.atomic_files import write_atomically

_FILE = "active.json"  # not hidden: a backup takes it along
_FORMAT = 1
_MOST_FORMER = 5  # that `rollback` can go back to one after the other; their files are kept


@dataclass(frozen=True, slots=True)
class Entry:
    """A model that was activated."""

    name: str
    """Of its file on the shelf."""
    sha256: str
    """Of its content at that time."""
    at: str
    """When it was activated, ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The active model, and those before it; None stands for the one that is shipped with dogid."""

    active: Entry | None = None
    former: tuple[Entry | None, ...] = ()
    """Newest first."""

    @property
    def can_roll_back(self) -> bool:
        """Whether there was another model before the active one."""
        return self.active is not None or bool(self.former)

    @property
    def previous(self) -> Entry | None:
        """The model to which a rollback goes; the shipped one where no other is known."""
        return self.former[0] if self.former else None

    def activate(self, entry: Entry | None) -> "Pointer":
        """Return the pointer with another model active, and the present one before it."""
        if _have_same_file(entry, self.active):
            return replace(self, active=entry)  # what the file was before is gone
        others = [
            model
            for model in self.former
            if not _have_same_file(model, entry) and not _have_same_file(model, self.active)
        ]
        return Pointer(entry, (self.active, *others)[:_MOST_FORMER])

    def roll_back(self) -> "Pointer":
        """Return the pointer with the model before active: the next rollback goes to the one before that."""
        return Pointer(self.previous, self.former[1:])

    def names(self) -> set[str]:
        """Return the files of the active model and of those before it."""
        return {entry.name for entry in (self.active, *self.former) if entry is not None}


class DamagedPointerError(UsageError):
    """The file that says which model is active cannot be read."""


def read_pointer(state: Path) -> Pointer:
    """Return which model is active; that none was activated, where there is no file. Raise DamagedPointerError."""
    path = shelf_folder(state) / _FILE
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {document['format']}, of another dogid")
        former = tuple(_parse(entry) for entry in document["former"])
        return Pointer(_parse(document["active"]), former)
    except FileNotFoundError:
        return Pointer()
    except OSError as error:
        raise DamagedPointerError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise DamagedPointerError(f"{path}: is damaged: {error}") from error


def write_pointer(state: Path, pointer: Pointer) -> None:
    """Have a model be the active one, from this moment on also after a power cut. Raise OSError; all is as before."""
    document = {
        "format": _FORMAT,
        "active": None if pointer.active is None else asdict(pointer.active),
        "former": [None if entry is None else asdict(entry) for entry in pointer.former],
    }
    write_atomically(shelf_folder(state) / _FILE, json.dumps(document, ensure_ascii=False).encode())


def _parse(document: dict[str, Any] | None) -> Entry | None:
    if document is None:
        return None
    entry = Entry(str(document["name"]), str(document["sha256"]), str(document["at"]))
    if "/" in entry.name or entry.name.startswith("."):
        raise ValueError(f"{entry.name!r} is no name on the shelf")
    return entry


def _have_same_file(one: Entry | None, other: Entry | None) -> bool:
    return (one and one.name) == (other and other.name)
