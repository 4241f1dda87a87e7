"""Queries that only the web page needs. Nothing here writes."""

import datetime as dt
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from dogid.file_names import shown_name
from dogid.inbox.scan import Version
from dogid.ledger.damage import is_undecodable
from dogid.ledger.queries import FIRST_FOLDER, HAS_FOLDER, MAX_ID
from dogid.ledger.schema import version_of

_FACTS = (
    "SELECT photo.path, photo.inode, photo.size, photo.mtime_ns, photo.ctime_ns, photo.state, photo.sha256,"
    " photo.width, photo.height, photo.superseded_by, model.sha256 AS model_sha256"
    " FROM photo LEFT JOIN model ON model.id = photo.model_id WHERE photo.id = ?"
)
# by itself SQLite takes the index by state, and reads all that is classified
_NEXT_LABEL = (
    "SELECT label FROM photo INDEXED BY photo_label WHERE state = 'classified' AND label > ? ORDER BY label LIMIT 1"
)
_NEXT_FOLDER = (
    f"SELECT {FIRST_FOLDER} FROM photo INDEXED BY photo_folder"  # noqa: S608
    f" WHERE state != 'superseded' AND {HAS_FOLDER} AND {FIRST_FOLDER} > ? ORDER BY {FIRST_FOLDER} LIMIT 1"
)
_LAST_SEEN = "SELECT id, seen_at FROM photo WHERE id < ? AND state != 'superseded' ORDER BY id DESC LIMIT 1"
_NEWEST_SCORES = (
    "SELECT id, score FROM photo INDEXED BY photo_label"
    " WHERE state = 'classified' AND label = ? AND absent_at IS NULL ORDER BY id DESC LIMIT ?"
)
_COUNT = (
    "SELECT count(*) FROM photo INDEXED BY photo_label WHERE state = 'classified' AND label = ? AND id >= ? AND id < ?"
)
# it ends with the first photo that is found; reviews of photos that only a model's file knows have none
_SAID_OF_A_PHOTO = """SELECT 1 FROM review INDEXED BY review_label CROSS JOIN photo
    ON substr(photo.sha256, 1, 16) = substr(review.sha256, 1, 16) AND photo.sha256 = review.sha256
    WHERE review.label = ? AND photo.state != 'superseded'
    AND review.id = (SELECT max(word.id) FROM review AS word WHERE word.sha256 = review.sha256) LIMIT 1"""

_CONTENT = """SELECT id FROM photo WHERE sha256 IS NOT NULL AND substr(sha256, 1, 16) = substr(?1, 1, 16)
    AND +sha256 = ?1 AND state = 'classified' AND absent_at IS NULL ORDER BY id DESC LIMIT 1"""


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """What must be known of a result to find its very photo again."""

    path: bytes
    """Relative to the inbox."""
    version: Version
    state: str
    sha256: str | None
    """Of the bytes that were classified; None where none were."""
    size: tuple[int, int] | None
    """(width, height) in pixels, upright; None where it was never decoded."""
    model_sha256: str | None
    superseded_by: int | None


def find_photo_facts(db: sqlite3.Connection, photo_id: int) -> PhotoFacts | None:
    """Return what is known of the photo of a result, or None where there is no such result."""
    try:
        row = db.execute(_FACTS, (photo_id,)).fetchone()
    except sqlite3.OperationalError as error:
        if not is_undecodable(error):
            raise
        return None  # it is damaged, which reading its result notes
    if row is None:
        return None
    return PhotoFacts(
        path=bytes(row["path"]),
        version=version_of(row),
        state=row["state"],
        sha256=row["sha256"],
        size=None if row["width"] is None else (row["width"], row["height"]),
        model_sha256=row["model_sha256"],
        superseded_by=row["superseded_by"],
    )


def find_content(db: sqlite3.Connection, sha256: str) -> int | None:
    """Return the id of the newest result of a photo in the inbox with a content, or None."""
    row = db.execute(_CONTENT, (sha256,)).fetchone()
    return None if row is None else int(row["id"])


def list_given_labels(db: sqlite3.Connection, most: int) -> list[str]:
    """Return labels that current results have, in the order of the alphabet; up to `most`.

    Each is one step in the index by label, however many photos have it.
    """
    labels: list[str] = []
    try:
        row = db.execute(_NEXT_LABEL, ("",)).fetchone()
        while row is not None and len(labels) < most:
            labels.append(row[0])
            row = db.execute(_NEXT_LABEL, (row[0],)).fetchone()
    except sqlite3.OperationalError as error:
        if not is_undecodable(error):
            raise  # else a damaged row hides the labels after its own, until it is repaired
    return labels


def list_first_folders(db: sqlite3.Connection, most: int) -> list[str]:
    """Return the first folders of the inbox that have current results, each a camera's, in the order of their bytes.

    Up to `most`. Each is one step in the index by folder, however many photos lie in it.
    """
    folders: list[str] = []
    row = db.execute(_NEXT_FOLDER, (b"",)).fetchone()
    while row is not None and len(folders) < most:
        folders.append(shown_name(row[0].removesuffix(b"/")))
        row = db.execute(_NEXT_FOLDER, (row[0],)).fetchone()
    return folders


def is_given_by_people(db: sqlite3.Connection, label: str) -> bool:
    """Return whether a person's word that stands gives a label to a photo with a current result."""
    return db.execute(_SAID_OF_A_PHOTO, (label,)).fetchone() is not None


def find_first_ids_since(db: sqlite3.Connection, moments: Sequence[int]) -> list[int]:
    """Given moments in milliseconds, return for each the id of the first photo that was seen then or later.

    Where there is none: the id that the next photo will have, at the least. Ids and the times at which photos were seen
    grow together, so that each is found by halving, in some twenty look-ups among a million photos. A clock that was
    set back blurs the edge.
    """
    last = db.execute("SELECT max(id) FROM photo").fetchone()[0] or 0
    return [_first_id_since(db, moment, last) for moment in moments]


def _first_id_since(db: sqlite3.Connection, moment: int, last: int) -> int:
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        row = db.execute("SELECT id, seen_at FROM photo WHERE id >= ? ORDER BY id LIMIT 1", (middle,)).fetchone()
        if row is None or row["seen_at"] >= moment:
            high = middle
        else:
            low = row["id"] + 1
    return low


@dataclass(frozen=True, slots=True)
class SeenDay:
    """A day on which photos were seen first, in the machine's time zone."""

    day: dt.date
    first: int
    """The id of its first photo."""
    end: int
    """Larger than the id of its last one, and not larger than that of the next day's first one."""


def find_newest_day(db: sqlite3.Connection) -> dt.date | None:
    """Return the day on which the newest photo was seen first, in the machine's time zone; None where there is none."""
    row = db.execute(_LAST_SEEN, (MAX_ID,)).fetchone()
    return None if row is None else _day_of(row["seen_at"])


def _day_of(seen_at: int) -> dt.date:
    return dt.datetime.fromtimestamp(seen_at / 1000).astimezone().date()


def list_days(db: sqlite3.Connection, most: int) -> list[SeenDay]:
    """Return the newest days on which photos were seen first, the newest first; up to most.

    Each is found by halving, as in `find_first_ids_since`. Where a clock was set back, there may be fewer.
    """
    days: list[SeenDay] = []
    end = MAX_ID
    for _ in range(2 * most):
        row = db.execute(_LAST_SEEN, (end,)).fetchone()
        if row is None or len(days) == most:
            break
        day = _day_of(row["seen_at"])
        midnight = dt.datetime.combine(day, dt.time()).timestamp()
        (first,) = find_first_ids_since(db, [round(midnight * 1000)])
        if not days or day < days[-1].day:
            days.append(SeenDay(day, first, end))
        end = min(int(row["id"]), first)
    return days


def list_newest_scores(db: sqlite3.Connection, label: str, most: int) -> list[tuple[float, int]]:
    """Return (score, id) of the newest photos in the inbox that a model gave a label, the newest first; up to most."""
    return [(row["score"], row["id"]) for row in db.execute(_NEWEST_SCORES, (label, most))]


def count_between(db: sqlite3.Connection, label: str, first: int, end: int) -> int:
    """Return how many current results with an id of first <= id < end have a label; counted in the index alone."""
    return int(db.execute(_COUNT, (label, first, end)).fetchone()[0])
