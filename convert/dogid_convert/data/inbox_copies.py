"""The files in the inbox that have a content."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from dogid.inbox.safe_open import NotAFileError, OutsideError, open_beneath, open_root
from dogid.ledger.reviews import list_present_paths


def open_copies(db: sqlite3.Connection, inbox: Path, sha256: str) -> Iterator[int]:
    """Open one after the other the files in the inbox that had a content when they were classified."""
    for path in list_present_paths(db, sha256):
        try:
            with open_root(inbox) as root:
                source = open_beneath(root, path)
        except (OSError, ValueError, OutsideError, NotAFileError):
            continue
        with os.fdopen(source, "rb", buffering=0) as file:
            yield file.fileno()


def is_in_inbox(db: sqlite3.Connection, inbox: Path, sha256: str) -> bool:
    """Return whether a file in the inbox has a content now."""
    for source in open_copies(db, inbox, sha256):
        with os.fdopen(source, "rb", closefd=False) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
                return True
    return False
