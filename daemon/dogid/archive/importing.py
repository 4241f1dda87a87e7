"""An output folder's results into a ledger, so that the page, reviews and learning have the archive, too."""

import contextlib
import hashlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dogid.archive.local_paths import shorten_path
from dogid.archive.output_folder import OutputFolder
from dogid.archive.reading import iterate_rows
from dogid.archive.remote import is_url
from dogid.clock import Clock
from dogid.errors import PhotoCode, UsageError
from dogid.file_names import possible_names
from dogid.inbox.scan import Version, find_file
from dogid.ledger.database import FILE_NAME, open_for_writing
from dogid.ledger.embeddings import MOST_RECENT
from dogid.ledger.imports import ImportCounts, ImportedPhoto, ImportWriter
from dogid.ledger.models import register_model
from dogid.ledger.outcomes import Timings

_ROWS = 5_000  # that are in memory at once
# Groups of so many rows in a transaction. Each rewrites large parts of the indexes of a large ledger: fewer, and the
# disk writes more; more keep a larger log beside the ledger, and a kill takes more work with it.
_GROUPS = 4
_CACHE_KIB = 65_536  # for the same reason; less reads and writes the same pages again and again


@dataclass(slots=True)
class Imported:
    """What an import has done."""

    rows: int = 0
    """Results of the output folder that were looked at."""
    counts: ImportCounts = ImportCounts()
    changed: int = 0
    """Photos in the inbox that are other versions than those of the results: the daemon classifies them itself."""
    absent: int = 0
    """Imported results of photos that are not in the inbox: the page shows them without a picture."""
    failed_absent: int = 0
    """Failed photos that are not in the inbox: the ledger keeps none, and they were left out."""


def import_results(
    output: OutputFolder, state: Path, inbox: Path | None, on_rows: Callable[[int], None] = lambda _: None
) -> Imported:
    """Bring the results of an output folder into the ledger of a state folder, which the caller has locked.

    inbox is the folder whose photos the ledger is about; None where there is none. on_rows is called with how many rows
    were looked at so far. The same import again changes nothing. Raise UsageError where the ledger cannot be written.
    """
    done = Imported()
    total = output.count_rows()
    naming = _Naming(output.header.root, inbox)
    with _writing(state) as db:
        clock = Clock()
        with _transaction(db):
            # an id that a power cut took with its row is not given to another photo
            db.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, (SELECT value FROM counter WHERE name = 'reserved'))"
                " WHERE name = 'photo'"
            )
            model = output.header.model
            model_id = register_model(db, model.name, model.sha256, model.labels)
        writer = ImportWriter(db, clock, model_id, model.network)
        groups = iterate_rows(output, _ROWS)
        while together := list(itertools.islice(groups, 1)):
            with _transaction(db):
                for rows in itertools.chain(together, itertools.islice(groups, _GROUPS - 1)):
                    photos = list(_describe(rows, naming, inbox, done))
                    done.rows += len(rows)
                    counts = writer.write(photos, are_recent=done.rows > total - MOST_RECENT)
                    done.counts = done.counts.plus(counts)
                    on_rows(done.rows)
    return done


def _describe(
    rows: list[dict[str, Any]], naming: "_Naming", inbox: Path | None, done: Imported
) -> Iterator[ImportedPhoto]:
    """Yield what the ledger is to have of rows; count those that it is not to have."""
    for row in rows:
        path = naming.path_of(row["file"])
        size, mtime_us = row["size"] or 0, row["modified_at"] or 0
        version, present = Version(0, size, mtime_us * 1000), False
        found = None if inbox is None or path is None else find_file(inbox, path)
        if found is not None:
            if (found.version.size, found.version.mtime_ns // 1000) != (row["size"], row["modified_at"]):
                done.changed += 1
                continue
            version, present = found.version, True
        if not present and row["error"] is not None:
            done.failed_absent += 1
            continue
        done.absent += not present
        timings, error = row["timings_ms"], row["error"]
        yield ImportedPhoto(
            path=path or naming.foreign_path(row["file"]),
            version=version,
            present=present,
            classified_ms=row["classified_at"] // 1000,
            scores=dict(row["scores"] or ()),
            sha256=row["sha256"],
            width=row["width"],
            height=row["height"],
            timings=None if timings is None else Timings(timings["decode"], timings["invoke"], timings["total"]),
            taken_at=row["exif_taken_at"],
            error=None if error is None else (PhotoCode(error["code"]), error["message"]),
            embedding=row.get("embedding"),
        )


class _Naming:
    """The paths that photos of an archive have in a ledger."""

    def __init__(self, root: str, inbox: Path | None) -> None:
        self._root = root
        self._inbox = None if inbox is None else os.path.realpath(os.fsencode(inbox)).rstrip(b"/") + b"/"
        name = root.rstrip("/").rpartition("/")[2] or "archive"
        # archives with one name are different places, and none is a folder of the inbox
        self._name = os.fsencode(f"{name}-{_short_hash(os.fsencode(root))}")
        while self._inbox is not None and os.path.lexists(self._inbox + self._name):
            self._name += b"_"
        self._real_root = b"" if is_url(root) else os.path.realpath(os.fsencode(root))

    def path_of(self, file: str) -> bytes | None:
        """Return the path relative to the inbox; None where the photo does not lie in it."""
        if self._inbox is None or is_url(file) or not self._real_root:
            return None
        full = shorten_path(os.path.join(self._real_root, possible_names(file)[0]))
        if not full.startswith(self._inbox) or b".." in full.split(b"/"):  # out of a link: it may lead anywhere
            return None
        return full[len(self._inbox) :]

    def foreign_path(self, file: str) -> bytes:
        """Return the path of a photo outside the inbox: in a folder named for the archive; each photo has another."""
        bare = possible_names(file.partition("://")[2] if is_url(file) else file)[0]
        # normalised below a slash, it leads nowhere above
        path = os.path.normpath(b"/" + bare).lstrip(b"/")
        if bare == b"/" + path:
            path = b"_root/" + path  # a list may have a/b besides /a/b
        elif path != bare:  # a bucket may have a//b besides a/b
            path = os.fsencode(_short_hash(os.fsencode(file))) + b"/" + path
        return self._name + b"/" + path


def _short_hash(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=4).hexdigest()


@contextlib.contextmanager
def _writing(state: Path) -> Iterator[sqlite3.Connection]:
    path = state / FILE_NAME
    try:
        db = open_for_writing(state).connection
        try:
            db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            yield db
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()
    except sqlite3.OperationalError as error:
        raise UsageError(
            f"{path}: cannot be written: {error}; make room or mend it, and import again: it goes on where it ended"
        ) from error


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
