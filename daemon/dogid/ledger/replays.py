"""Answers of other models than one: which photos have them, and putting new ones in their place.

A photo keeps its row, its id and its place in the lists. The former answer becomes an event of its history. What writes
does so inside a transaction, of a command's beside the daemon or without one.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dogid.clock import Clock
from dogid.ledger.counters import take_next_seq
from dogid.ledger.embeddings import store_reviewed_embedding
from dogid.ledger.outcomes import Timings
from dogid.ledger.schema import REPLACED, note

_OLDER = """FROM photo JOIN model ON model.id = photo.model_id
    WHERE state = 'classified' AND absent_at IS NULL AND photo.sha256 IS NOT NULL AND model_id IN ({})"""
_COLUMNS = """photo.id, path, photo.sha256, size, label, score, scores, model_id, model.name AS model_name,
    (SELECT data FROM recent_embedding WHERE photo_id = photo.id AND network = ?) AS embedding"""
_REPLACE = """UPDATE photo SET model_id = ?, label = ?, score = ?, scores = ?, classified_at = ?, decode_ms = ?,
    invoke_ms = ?, total_ms = ? WHERE id = ? AND state = 'classified' AND sha256 = ? AND model_id = ?"""
_FORMER = """SELECT label, score, scores, classified_at, decode_ms, invoke_ms, total_ms, model.name, model.sha256
    FROM photo JOIN model ON model.id = model_id
    WHERE photo.id = ? AND state = 'classified' AND photo.sha256 = ? AND model_id = ?"""
_RELABELLED = """SELECT id FROM photo WHERE id IN (SELECT value FROM json_each(?))
    AND EXISTS (SELECT 1 FROM event WHERE photo_id = photo.id AND kind = ? AND json_valid(detail)
        AND json_extract(detail, '$.label') IS NOT photo.label)"""
_UPDATE_EMBEDDING = "UPDATE recent_embedding SET network = ?, data = ? WHERE photo_id = ?"


@dataclass(frozen=True, slots=True)
class OlderAnswer:
    """A photo in the inbox with the answer of another model."""

    photo_id: int
    path: bytes
    """Relative to the inbox."""
    sha256: str
    """Of its content."""
    size: int
    """Of its file, in bytes."""
    label: str
    score: float
    model_id: int
    model_name: str
    embedding: bytes | None
    """What the network in question makes of it; None where that is not stored."""


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """What a model answers to a photo that has another's answer."""

    older: OlderAnswer
    scores: Mapping[str, float]
    """The best probabilities by label, best first."""
    timings: Timings | None
    """None where it was made from a stored embedding."""
    network: str | None = None
    embedding: bytes | None = None
    """What the network made of the photo just now; None where nothing was made anew."""

    @property
    def label(self) -> str:
        """The likeliest label."""
        return next(iter(self.scores))

    @property
    def is_changed(self) -> bool:
        """Whether its label is another than before."""
        return self.label != self.older.label


def count_older_answers(db: sqlite3.Connection, sha256: str, most: int = -1) -> int:
    """Return how many photos in the inbox have the answer of another model than one; counted up to most, -1 for all."""
    others = _other_models(db, sha256)
    if not others:
        return 0
    query = f"SELECT count(*) FROM (SELECT 1 {_OLDER.format(_marks(others))} LIMIT ?)"  # noqa: S608
    return int(db.execute(query, (*others, most)).fetchone()[0])


def list_older_answers(
    db: sqlite3.Connection, sha256: str, *, before: int, limit: int, network: str | None
) -> list[OlderAnswer]:
    """Return photos with the answer of another model than one, newest first, of smaller ids than before.

    network: whose stored embeddings are wanted.
    """
    others = _other_models(db, sha256)
    if not others:
        return []
    query = f"SELECT {_COLUMNS} {_OLDER.format(_marks(others))} AND photo.id < ? ORDER BY photo.id DESC LIMIT ?"
    return [
        OlderAnswer(
            row["id"], bytes(row["path"]), row["sha256"], row["size"], row["label"], row["score"], row["model_id"],
            row["model_name"], row["embedding"],
        )
        for row in db.execute(query, (network, *others, before, limit))
    ]  # fmt: skip


def find_replaced(db: sqlite3.Connection, ids: Collection[int]) -> frozenset[int]:
    """Return which of some photos have another label now than before a replay: these are no new photos."""
    return frozenset(photo_id for (photo_id,) in db.execute(_RELABELLED, (json.dumps(list(ids)), REPLACED)))


def replace_answers(db: sqlite3.Connection, answers: Sequence[NewAnswer], model_id: int, clock: Clock) -> int:
    """Make answers the current ones, with those before in the histories; return how many.

    A photo that has changed, or was answered again, since its older answer was read is left as it is. Followers of new
    results get those whose label changed.
    """
    return sum(_replace(db, answer, model_id, clock) for answer in answers)


def _replace(db: sqlite3.Connection, answer: NewAnswer, model_id: int, clock: Clock) -> bool:
    older, now = answer.older, clock.wall_ms()
    key = older.photo_id, older.sha256, older.model_id
    former = db.execute(_FORMER, key).fetchone()
    if former is None:
        return False
    note(db, clock, older.photo_id, REPLACED, _encode(former))
    times = answer.timings
    stages = (None, None, None) if times is None else (times.decode, times.invoke, times.total)
    scores = json.dumps(answer.scores, ensure_ascii=False)
    db.execute(_REPLACE, (model_id, answer.label, answer.scores[answer.label], scores, now, *stages, *key))
    if answer.is_changed:
        seq = take_next_seq(db)
        db.execute("UPDATE photo SET seq = ? WHERE id = ?", (seq, older.photo_id))
    if answer.embedding is not None and answer.network is not None:
        db.execute(_UPDATE_EMBEDDING, (answer.network, answer.embedding, older.photo_id))
        store_reviewed_embedding(db, older.sha256, answer.network, answer.embedding, now)
    return True


def _encode(former: Sequence[Any]) -> str:
    """Return a former answer as the text of its event, which `decode_former_answer` reads."""
    label, score, scores, at, decode_ms, invoke_ms, total_ms, model, sha256 = former
    try:
        probabilities = json.loads(scores)
    except ValueError:  # damaged on the disk
        probabilities = {label: score}
    return json.dumps(
        {
            "at": at,
            "label": label,
            "score": score,
            "scores": probabilities,
            "model": model,
            "model_sha256": sha256,
            "timings_ms": {"decode": decode_ms, "invoke": invoke_ms, "total": total_ms},
        },
        ensure_ascii=False,
    )


def decode_former_answer(detail: str) -> tuple[int, dict[str, Any]] | None:
    """Return when a former answer was given, in milliseconds, and its step for a history; None where it is damaged."""
    try:
        document = json.loads(detail)
        answer = f"{document['label']} {document['score']:.3f} by {document['model']}"
        step = {"event": "classified", "detail": answer, "scores": document["scores"]}
        return int(document["at"]), step | {"timings_ms": document["timings_ms"]}
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _other_models(db: sqlite3.Connection, sha256: str) -> list[int]:
    return [model_id for (model_id,) in db.execute("SELECT id FROM model WHERE sha256 != ?", (sha256,))]


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
