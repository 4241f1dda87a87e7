"""Reads what people said about photos: the reviews, by content. Nothing here writes.

A review is a person's word on a content, which every photo with that content has: renamed, copied again or deleted.
The newest of a content stands, unless it takes back the one before.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import NamedTuple

from dogid.file_names import shown_name
from dogid.ledger.column_types import ColumnTypes
from dogid.ledger.damage import DamagedRowError
from dogid.ledger.queries import ALL_RESULTS_SINCE, NO_STANDING, RESULTS_SINCE, find_result
from dogid.ledger.result_rows import iterate_rows
from dogid.ledger.verdicts import NO_RESULT, STANDING
from dogid.result_document import Result

_COLUMNS = "id, sha256, photo_id, path, verdict, label, reviewer, at, model_id, model_label, model_score"
_TYPES = ColumnTypes(
    {int}, {str}, {int}, {bytes}, {str}, {str, NoneType}, {str}, {int}, {int, NoneType}, {str, NoneType},
    {float, NoneType},
)  # fmt: skip
_REVIEW = f"SELECT {_COLUMNS} FROM review"  # noqa: S608
_STANDING = f"""SELECT {_COLUMNS} FROM review
    WHERE id IN (SELECT max(id) FROM review GROUP BY sha256) AND verdict != 'withdrawn' ORDER BY id"""  # noqa: S608
_NEWEST_STANDING = f"""SELECT {_COLUMNS} FROM review
    WHERE id IN (SELECT max(id) FROM review GROUP BY sha256) AND verdict != 'withdrawn'
    AND photo_id IN (SELECT id FROM photo) ORDER BY id DESC LIMIT ?"""  # noqa: S608
_WITH_EMBEDDING = f"""SELECT standing.*, data FROM ({_STANDING}) AS standing
    LEFT JOIN reviewed_embedding AS stored ON stored.sha256 = standing.sha256 AND network = ? ORDER BY standing.id"""  # noqa: S608
_NEWEST = """SELECT photo.id, photo.sha256, photo.label, data, model.sha256
    FROM recent_embedding JOIN photo ON photo.id = photo_id LEFT JOIN model ON model.id = photo.model_id
    WHERE network = ? AND photo.sha256 IS NOT NULL ORDER BY photo_id DESC LIMIT ?"""
_OF_TRAINING_PHOTO = f"(photo_id = {NO_RESULT} AND length(path) = 0)"
"""As `Review.is_of_training_photo`."""
_STANDING_ON_RESULTS = f"SELECT * FROM ({_STANDING}) WHERE NOT {_OF_TRAINING_PHOTO}"  # noqa: S608
_REVIEWED_EMBEDDINGS = """SELECT data FROM reviewed_embedding AS stored WHERE network = ? AND coalesce((SELECT verdict
    FROM review WHERE review.sha256 = stored.sha256 ORDER BY review.id DESC LIMIT 1), 'withdrawn') != 'withdrawn'
    ORDER BY stored.id DESC LIMIT ?"""
_PRESENT_PATHS = """SELECT path FROM photo WHERE sha256 IS NOT NULL
    AND substr(sha256, 1, 16) = substr(?1, 1, 16) AND +sha256 = ?1 AND state != 'superseded' AND absent_at IS NULL
    ORDER BY id DESC"""
_UNREVIEWED = (
    f"state != 'superseded' AND absent_at IS NULL AND +state = 'classified' AND {NO_STANDING} ORDER BY photo.id DESC"
)


@dataclass(frozen=True, slots=True)
class Review:
    """A person's word on a content."""

    id: int
    """Grows with each review and each result."""
    sha256: str
    photo_id: int
    """The result that was looked at, which may be gone; NO_RESULT of a photo that only the model file knows."""
    path: bytes
    """Its path then, relative to the inbox."""
    verdict: str
    label: str | None
    """The right label; None where the verdict is `unsure` or `withdrawn`."""
    by: str
    """Who said it."""
    at: int
    """Milliseconds since 1970."""
    model_id: int | None
    """The model that had answered, with its answer; None where none had."""
    model_label: str | None
    model_score: float | None

    @property
    def is_correction(self) -> bool:
        """Whether the person's label is another than the model's."""
        return self.label is not None and self.label != self.model_label

    @property
    def is_of_training_photo(self) -> bool:
        """Whether it is about a photo that the model file carries, and not about a result."""
        return self.photo_id == NO_RESULT and not self.path

    @property
    def detail(self) -> str:
        """What was said and by whom, for people."""
        said = f"{self.verdict} {self.label}" if self.label is not None else self.verdict
        return f"{said} by {self.by}"


class Change(NamedTuple):
    """A new result, or a word on one."""

    seq: int
    """Its number, as those who follow the changes count them."""
    kind: str
    """`result` or `review`."""
    result: Result | None
    """As it is now; None where it was forgotten since."""
    at_ms: int
    """When the result came, or the word was said, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class EmbeddedReview:
    """A review that stands, with the embedding of its content."""

    review: Review
    embedding: bytes | None
    """As the network gave it; None where none is stored."""


@dataclass(frozen=True, slots=True)
class StoredEmbedding:
    """The embedding of a photo that was classified not long ago."""

    photo_id: int
    sha256: str
    label: str | None
    """The model's answer."""
    data: bytes
    model: str | None
    """SHA-256, in hex, of the file of the model that answered."""


def list_standing_reviews(db: sqlite3.Connection, network: str) -> list[EmbeddedReview]:
    """Return the review of each content that stands, oldest first, with its embedding by a network."""
    return [EmbeddedReview(_as_review(row), row["data"]) for row in db.execute(_WITH_EMBEDDING, (network,))]


def list_reviews(db: sqlite3.Connection, sha256: str, limit: int = -1) -> list[Review]:
    """Return what was said about a content, newest first, also what was taken back; up to limit, -1 for all."""
    rows = db.execute(f"{_REVIEW} WHERE sha256 = ? ORDER BY id DESC LIMIT ?", (sha256, limit))
    return [_as_review(row) for row in rows]


def find_standing_review(db: sqlite3.Connection, sha256: str) -> Review | None:
    """Return the review of a content that stands; None where there is none, or it was taken back."""
    found = list_reviews(db, sha256, limit=1)
    return found[0] if found and found[0].verdict != "withdrawn" else None


def list_training_photo_reviews(db: sqlite3.Connection) -> list[Review]:
    """Return the reviews that stand of photos that only the model file knows, oldest first."""
    rows = db.execute(f"SELECT * FROM ({_STANDING}) WHERE photo_id = ?", (NO_RESULT,))  # noqa: S608
    return [review for row in rows if (review := _as_review(row)).is_of_training_photo]


def find_reviewed_results(db: sqlite3.Connection, contents: Iterable[str]) -> set[str]:
    """Return those of contents (SHA-256 in hex) on which a word stands that is about a result."""
    standing = {sha256: find_standing_review(db, sha256) for sha256 in contents}
    return {sha256 for sha256, review in standing.items() if review is not None and not review.is_of_training_photo}


def list_newest_reviews(db: sqlite3.Connection, limit: int) -> list[Review]:
    """Return the reviews that stand, newest first, up to limit; those whose result is gone not."""
    return [_as_review(row) for row in db.execute(_NEWEST_STANDING, (limit,))]


def list_reviews_since(db: sqlite3.Connection, seq: int, limit: int) -> list[Review]:
    """Return what was said after a sequence number, oldest first."""
    rows = db.execute(f"{_REVIEW} WHERE id > ? ORDER BY id LIMIT ?", (seq, limit))
    return [_as_review(row) for row in rows]


def list_changes_since(db: sqlite3.Connection, seq: int, limit: int, *, with_superseded: bool = False) -> list[Change]:
    """Return up to limit results and reviews that came after a sequence number, oldest first.

    with_superseded: also results that a newer version of their file has superseded, as long as the ledger has them.
    """
    since = ALL_RESULTS_SINCE if with_superseded else RESULTS_SINCE
    db.execute("BEGIN")  # else a result that comes between the two queries would be left out
    try:
        rows = iterate_rows(db, since, (seq,), limit)
        changes = [Change(row["seq"], "result", result, row["classified_at"] or 0) for row, result in rows]
        reviews = list_reviews_since(db, seq, limit)
        changes += [Change(review.id, "review", find_result(db, review.photo_id), review.at) for review in reviews]
    finally:
        db.execute("COMMIT")
    return sorted(changes, key=lambda change: change.seq)[:limit]


def iterate_unreviewed(db: sqlite3.Connection, limit: int) -> Iterator[Result]:
    """Yield the newest classified, unreviewed photos in the inbox, up to limit; damaged ones not."""
    return (result for _, result in iterate_rows(db, _UNREVIEWED, (), limit))


def list_newest_embeddings(db: sqlite3.Connection, network: str, limit: int) -> list[StoredEmbedding]:
    """Return up to limit stored embeddings by a network, of the newest photos first, reviewed or not."""
    return [StoredEmbedding(*row) for row in db.execute(_NEWEST, (network, limit))]


def count_corrections_since(db: sqlite3.Connection, since_ms: int) -> int:
    """Return on how many contents a word stands that came after a moment and changes what is learned from.

    Of a result, that is another label than the model's answer; of a photo that the model file carries, any answer.
    """
    changes = f"({_OF_TRAINING_PHOTO} OR label IS NOT NULL AND label IS NOT model_label)"
    query = f"SELECT count(*) FROM ({_STANDING}) WHERE at > ? AND {changes}"  # noqa: S608
    return int(db.execute(query, (since_ms,)).fetchone()[0])


def list_reviewed_embeddings(db: sqlite3.Connection, network: str, limit: int) -> list[bytes]:
    """Return up to limit embeddings by a network of contents on which a word stands, those that were stored last."""
    return [data for (data,) in db.execute(_REVIEWED_EMBEDDINGS, (network, limit))]


def list_present_paths(db: sqlite3.Connection, sha256: str) -> list[bytes]:
    """Return the paths, relative to the inbox, of photos there with a content, as far as the ledger knows."""
    return [bytes(path) for (path,) in db.execute(_PRESENT_PATHS, (sha256,))]


def count_reviews(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many contents have a review that stands, by verdict; `corrected`: whose label is not the model's.

    Photos that only the model file knows are not counted.
    """
    counts = dict.fromkeys((*STANDING, "corrected"), 0)
    query = "SELECT verdict, count(*), total(label IS NOT model_label AND label IS NOT NULL)"
    for verdict, number, corrected in db.execute(f"{query} FROM ({_STANDING_ON_RESULTS}) GROUP BY verdict"):
        if verdict in counts:  # damage can make another
            counts[verdict] += number
            counts["corrected"] += int(corrected)
    return counts


def count_reviewed_labels(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many contents people gave each label that stands, or confirmed it of, as `count_reviews` counts."""
    query = f"SELECT label, count(*) FROM ({_STANDING_ON_RESULTS}) WHERE typeof(label) = 'text' GROUP BY label"  # noqa: S608
    return dict(db.execute(query).fetchall())


def describe_path(review: Review) -> str:
    """Return the path that a reviewed photo had, as people see it; of one that only the model file knows, its hash."""
    return f"training photo {review.sha256[:12]}" if review.is_of_training_photo else shown_name(review.path)


def _as_review(row: sqlite3.Row) -> Review:
    if not _TYPES.are_those_of(row):
        raise DamagedRowError(f"review {row['id']} is damaged")
    return Review(
        row["id"], row["sha256"], row["photo_id"], bytes(row["path"]), row["verdict"], row["label"], row["reviewer"],
        row["at"], row["model_id"], row["model_label"], row["model_score"],
    )  # fmt: skip
