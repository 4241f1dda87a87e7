"""Deleting results on request, of photos that are not in the inbox: from any process, beside a running daemon."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from dogid.ledger.outside_changes import changing_ledger
from dogid.ledger.presence import AbsenceCheck

_PAGE = 500
_CURRENT = "SELECT id, path, absent_at FROM photo WHERE state != 'superseded'"

_WITHOUT_PHOTO = """NOT EXISTS (SELECT 1 FROM photo WHERE photo.sha256 IS NOT NULL
    AND substr(photo.sha256, 1, 16) = substr(review.sha256, 1, 16) AND +photo.sha256 = review.sha256)"""
_DELETE_OF_CONTENT = """DELETE FROM {} WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM photo WHERE sha256 IS NOT NULL
    AND substr(sha256, 1, 16) = substr(?1, 1, 16) AND +sha256 = ?1)"""


def delete_photos(db: sqlite3.Connection, ids: Sequence[int], *, with_reviews: bool = False) -> int:
    """Delete photos by the ids of their current rows, with all versions before; return how many there were.

    with_reviews: also what people said about contents that no other photo has, and their embeddings.
    """
    if not ids:
        return 0
    photos = f"id IN ({','.join('?' * len(ids))}) AND state != 'superseded'"
    histories = f"SELECT history_id FROM photo WHERE {photos}"  # noqa: S608
    versions = f"state = 'superseded' AND history_id IN ({histories})"
    contents = list[str]()
    if with_reviews:
        query = f"SELECT DISTINCT sha256 FROM photo WHERE ({photos}) OR ({versions})"  # noqa: S608
        contents = [sha256 for (sha256,) in db.execute(query, (*ids, *ids)) if sha256 is not None]
    db.execute(f"DELETE FROM photo WHERE {versions}", ids)  # noqa: S608
    deleted = db.execute(f"DELETE FROM photo WHERE {photos}", ids).rowcount  # noqa: S608
    _delete_words(db, contents)
    return deleted


def _delete_words(db: sqlite3.Connection, contents: Sequence[str]) -> None:
    for sha256 in contents:
        for table in ("review", "reviewed_embedding"):
            db.execute(_DELETE_OF_CONTENT.format(table), (sha256,))


def find_words_without_photo(db: sqlite3.Connection, paths: Sequence[bytes], sha256: str) -> dict[str, bytes]:
    """Return contents, by sha256, with a path each, that people said something about and that no photo has any more.

    Those that were at one of paths when it was said, or one by its sha256.
    """
    marks = ",".join("?" * len(paths))
    query = f"SELECT sha256, path FROM review WHERE (path IN ({marks}) OR sha256 = ?) AND {_WITHOUT_PHOTO} ORDER BY id"  # noqa: S608
    return {found: bytes(path) for found, path in db.execute(query, (*paths, sha256))}


def forget_words(state: Path, contents: Sequence[str]) -> None:
    """Delete what people said about contents that no photo has, by sha256, with their embeddings. Raise UsageError."""
    if not contents:
        return
    with changing_ledger(state, "forget") as db, db:
        db.execute("BEGIN IMMEDIATE")
        _delete_words(db, contents)


def find_absent_photos(db: sqlite3.Connection, inbox: Path) -> dict[int, bytes]:
    """Return id and path, relative to the inbox, of all photos that have left it.

    Files that may only be on a disk that is not mounted count where the daemon has noted that they left.
    """
    check = AbsenceCheck(inbox)
    absent: dict[int, bytes] = {}
    after = 0
    while rows := db.execute(f"{_CURRENT} AND id > ? ORDER BY id LIMIT ?", (after, _PAGE)).fetchall():
        for row in rows:
            path = bytes(row["path"])
            if check.is_missing(path) if row["absent_at"] is not None else check.has_left(path):
                absent[row["id"]] = path
        after = rows[-1]["id"]
    return absent


def forget_photos(state: Path, ids: Sequence[int], *, with_reviews: bool = False) -> int:
    """Delete photos from the ledger in a state folder; return how many. Raise UsageError where it cannot be written.

    with_reviews: as for `delete_photos`.
    """
    with changing_ledger(state, "forget") as db:
        forgotten = 0
        for at in range(0, len(ids), _PAGE):
            with db:
                forgotten += delete_photos(db, ids[at : at + _PAGE], with_reviews=with_reviews)
        return forgotten
