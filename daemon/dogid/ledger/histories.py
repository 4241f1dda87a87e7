"""What happened to a photo in all its versions, a page at a time, newest first. Nothing here writes.

A file that is overwritten every minute has half a million versions a year. A page costs the same with any number.
"""

import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from dogid.clock import iso_utc
from dogid.ledger.damage import DamagedRowError, is_undecodable
from dogid.ledger.queries import MAX_ID
from dogid.ledger.reading_connection import ReadingConnection
from dogid.ledger.replays import decode_former_answer
from dogid.ledger.result_rows import iterate_rows, read_row
from dogid.ledger.reviews import Review, list_reviews
from dogid.ledger.schema import MOST_EVENTS, REPLACED
from dogid.result_document import Result

PAGE = 50
"""Steps on a page."""

# former versions only, besides the one that is asked for: what came after a former one is not its history
_VERSIONS = "history_id = ? AND photo.id <= ? AND (state = 'superseded' OR photo.id = ?) ORDER BY photo.id DESC"
# newest first; former answers are few, and stay however often a file was touched since
_EVENTS = f"""SELECT at, kind, detail FROM event WHERE photo_id = ?1 AND (kind = '{REPLACED}' OR id IN
    (SELECT id FROM event WHERE photo_id = ?1 AND kind != '{REPLACED}' ORDER BY id DESC LIMIT ?2)) ORDER BY id DESC"""  # noqa: S608

Step = dict[str, Any]
"""One event of a history, ready for JSON."""


class Position(NamedTuple):
    """A place in a history: all that is older than a step."""

    result: int
    """The id of the version that the step belongs to."""
    step: int
    """The number of steps of that version that are older; 0 where its first one is meant."""


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some of what happened to a photo."""

    steps: list[Step]
    """Newest first."""
    next: Position | None
    """Where the next, older page begins; None after the last."""


def read_history_page(db: sqlite3.Connection, photo_id: int, before: Position | None = None) -> HistoryPage:
    """Return what happened to the photo of a result: the newest steps, or those before a position."""
    found = list(itertools.islice(_positioned_steps(db, photo_id, before), PAGE + 1))
    page = found[:PAGE]
    # versions are in order whatever the clock did; only within a page do a renamed photo's two pasts mix
    steps = sorted((step for _, step in page), key=lambda step: str(step["at"]), reverse=True)
    return HistoryPage(steps, page[-1][0] if len(found) > PAGE else None)


def all_pages(db: sqlite3.Connection, photo_id: int) -> Iterator[HistoryPage]:
    """Yield the pages of a whole history, newest first."""
    page = read_history_page(db, photo_id)
    yield page
    while page.next is not None:
        page = read_history_page(db, photo_id, page.next)
        yield page


def _positioned_steps(
    db: sqlite3.Connection, photo_id: int, before: Position | None
) -> Iterator[tuple[Position, Step]]:
    for row, result in _versions(db, photo_id, before):
        steps = list(enumerate(_steps(db, row, result)))
        if before is not None and row["id"] == before.result:
            steps = steps[: before.step]
        yield from ((Position(row["id"], number), step) for number, step in reversed(steps))


def _versions(db: sqlite3.Connection, photo_id: int, before: Position | None) -> Iterator[tuple[sqlite3.Row, Result]]:
    """The version that is asked for and those before it, newest first; no more than a page has steps."""
    found = read_row(db, photo_id)
    if found is None:
        return
    asked = found[0]
    if asked["history_id"] is None:
        if before is None or photo_id <= before.result:
            yield found
        return
    # a photo that was renamed to another's name may have a smaller id than that one's last version
    last = photo_id if asked["state"] == "superseded" else MAX_ID
    if before is not None:
        last = min(last, before.result)
    yield from iterate_rows(db, _VERSIONS, (asked["history_id"], last, photo_id), PAGE + 2)


def _steps(db: sqlite3.Connection, row: sqlite3.Row, result: Result) -> list[Step]:
    """What happened to one version, oldest first."""
    # the size is that of the last look: a file may have grown since it was seen first
    size = f"{row['size']} bytes" + (" by now" if row["state"] == "pending" else "")
    steps = [(row["seen_at"], {"event": "seen", "result": row["id"], "detail": size})]
    events = _read_events(db, row["id"])
    for at, kind, detail in reversed(events):
        steps += _event_steps(row, at, kind, detail)
    if row["classified_at"] is not None:
        answer = f"{row['error_code']}: {row['error_message']}"
        if row["label"] is not None:
            answer = f"{row['label']} {row['score']:.3f} by {row['model_name']}"
        step = {"event": result["status"], "result": row["id"], "detail": answer, "scores": result["scores"]}
        steps.append((row["classified_at"], step | {"timings_ms": result["timings_ms"], "sha256": row["sha256"]}))
    steps += [(review.at, {"event": "reviewed", "result": row["id"], "detail": review.detail})
              for review in reversed(_read_reviews(db, row))]  # fmt: skip
    steps.sort(key=lambda step: step[0])
    return [{"at": iso_utc(at), **step} for at, step in steps]


def _read_reviews(db: sqlite3.Connection, row: sqlite3.Row) -> list[Review]:
    """Return what people said about the content of a version, newest first; of two with one content at the newer."""
    if row["word"] is None:
        return []
    if row["history_id"] is not None:
        newer = "SELECT 1 FROM photo WHERE history_id = ? AND id > ? AND sha256 = ?"
        if db.execute(newer, (row["history_id"], row["id"], row["sha256"])).fetchone() is not None:
            return []
    try:
        return list_reviews(db, row["sha256"], limit=MOST_EVENTS)
    except sqlite3.DatabaseError as error:
        if not isinstance(error, DamagedRowError) and not is_undecodable(error):
            raise
    if isinstance(db, ReadingConnection):
        db.note_damaged(row["id"])
    return []


def _event_steps(row: sqlite3.Row, at: int, kind: str, detail: str) -> list[tuple[int, Step]]:
    """Return the steps of an event: a former answer is one of its own, at its time."""
    if kind != REPLACED:
        return [(at, {"event": kind, "result": row["id"], "detail": detail})]
    replayed = (at, {"event": "replayed", "result": row["id"], "detail": "answered again by another model"})
    former = decode_former_answer(detail)
    if former is None:
        return [replayed]
    answered_at, step = former
    return [(answered_at, {**step, "result": row["id"], "sha256": row["sha256"]}), replayed]


def _read_events(db: sqlite3.Connection, photo_id: int) -> list[tuple[int, str, str]]:
    """Return the last events of a version, newest first; none where one of them is damaged."""
    try:
        return [(at, kind, detail) for at, kind, detail in db.execute(_EVENTS, (photo_id, MOST_EVENTS))]
    except sqlite3.OperationalError as error:
        if not is_undecodable(error):
            raise
    if isinstance(db, ReadingConnection):
        db.note_damaged(photo_id)
    return []
