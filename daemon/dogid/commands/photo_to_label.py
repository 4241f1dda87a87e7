"""Finding the photo that a person means on the command line: a word on another content than they see would be a lie."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dogid.commands.reading_state import ask_inbox, name_in_inbox, names_in_ledger
from dogid.errors import DogidError
from dogid.file_names import one_line, possible_names
from dogid.inbox.content_hash import hash_file
from dogid.inbox.scan import find_file
from dogid.ledger import queries
from dogid.ledger.schema import version_of

_ROWS = "SELECT id, path, sha256, inode, size, mtime_ns, ctime_ns FROM photo"


@dataclass(frozen=True, slots=True)
class PhotoToLabel:
    """A result, and the content that it was of when its file was looked at."""

    id: int
    sha256: str | None
    name: str
    """As the person named it."""


def find_photo_to_label(db: sqlite3.Connection, file: str, inbox: Path) -> PhotoToLabel:
    """Return the photo that a person names: a file in the inbox, or the present or former name of a photo.

    Raise DogidError where there is none, where a file of that name lies elsewhere or is new to the ledger, or where it
    has another content than its result is of.
    """
    found = ask_inbox(inbox, lambda: _find(db, file, inbox))
    if isinstance(found, str):
        raise DogidError(f"{one_line(found)} Nothing was labelled")
    return found


def check_unchanged(db: sqlite3.Connection, photo: PhotoToLabel) -> None:
    """Raise DogidError where a photo got another row or content since it was found; inside the writing transaction."""
    row = db.execute("SELECT sha256 FROM photo WHERE id = ? AND state != 'superseded'", (photo.id,)).fetchone()
    if row is None or row[0] != photo.sha256:
        raise DogidError(f"{one_line(photo.name)}: has changed just now; nothing was labelled. See it and try again")


def _find(db: sqlite3.Connection, file: str, inbox: Path) -> PhotoToLabel:
    row = _find_row(db, file, inbox)
    if row is None and any(os.path.isdir(path) for path in (file, os.path.join(inbox, file))):
        folder = one_line(file.rstrip("/"))
        raise DogidError(f"{folder}: is a folder; nothing was labelled. Name files, as in {folder}/*")
    if row is None:
        raise DogidError(f"{one_line(file)}: not in the ledger; nothing was labelled. See: dogid why {one_line(file)}")
    if row["sha256"] is not None and _has_other_content(inbox, row):
        raise DogidError(
            f"{one_line(file)}: has changed since it was classified, or cannot be read; nothing was labelled. Try again"
            f" when the daemon has classified it: dogid why {one_line(file)}"
        )
    return PhotoToLabel(row["id"], row["sha256"], file)


def _find_row(db: sqlite3.Connection, file: str, inbox: Path) -> sqlite3.Row | None:
    """Return the row of the photo that a person names; None where there is none. Raise DogidError."""
    if os.path.lexists(file) and not os.path.isdir(file):
        name = name_in_inbox(file, inbox)
        if name is None:
            place = os.path.join(inbox, os.path.basename(file))
            hint = "Only photos in the inbox are labelled; is it another daemon's? See --state and --inbox"
            if os.path.lexists(place):
                hint = f"For the photo of this name in the inbox, give its path: {one_line(place)}"
            raise DogidError(
                f"{one_line(file)}: lies outside of the inbox, {one_line(str(inbox))}; nothing was labelled. {hint}"
            )
        return _row_at(db, os.fsencode(name))
    names = names_in_ledger(file, inbox)
    for path in (path for name in names for path in possible_names(name)):
        row = _row_at(db, path)
        if row is not None or os.path.lexists(os.path.join(os.fsencode(inbox), path)):
            return row  # a file that is new to the ledger is not the one that had its name before
    renamed = (queries.find_renamed(db, name) for name in names)
    photo_id = next((photo_id for photo_id in renamed if photo_id is not None), None)
    return None if photo_id is None else db.execute(f"{_ROWS} WHERE id = ?", (photo_id,)).fetchone()


def _row_at(db: sqlite3.Connection, path: bytes) -> sqlite3.Row | None:
    found: sqlite3.Row | None = db.execute(f"{_ROWS} WHERE path = ? AND state != 'superseded'", (path,)).fetchone()
    return found


def _has_other_content(inbox: Path, row: sqlite3.Row) -> bool:
    """Return whether the file at a row's path is another than the row is about; not where there is none."""
    path = bytes(row["path"])
    file = find_file(inbox, path)
    if file is None or file.version == version_of(row):
        return False
    read = hash_file(inbox, path)
    return read is None or read[1] != row["sha256"]
