"""Adding reviews: a person's word on photos, kept by content. Nothing that was said is changed or deleted.

All of it happens inside a transaction, of the daemon's or of a command's beside it.
"""

import sqlite3
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dogid.errors import DogidError
from dogid.ledger.counters import take_next_seq
from dogid.ledger.embeddings import keep_embeddings
from dogid.ledger.stored_labels import find_similar_labels
from dogid.ledger.verdicts import NO_RESULT, VERDICTS, WITHDRAWN

MAX_LABEL = 200
"""Characters of a label. Longer ones are paragraphs, which no page has room for."""
MAX_NAME = 100
"""Characters of a person's name."""
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that no label has: control characters, what formats text and is not seen, halves of characters,
breaks of lines. With them, labels that look the same were two."""
_JOINERS = "\u200c\u200d"
"""Are between the letters of some scripts, and between the parts of an emoji."""

_PHOTO = "SELECT id, path, sha256, model_id, label, score FROM photo WHERE id = ?"
_STANDING_LABELS = """SELECT DISTINCT label FROM review WHERE label IS NOT NULL
    AND id = (SELECT max(id) FROM review AS word WHERE word.sha256 = review.sha256)"""
_NAMED = 10  # more make an error message unreadable
_ADD = """INSERT INTO review
    (id, sha256, photo_id, path, verdict, label, reviewer, at, model_id, model_label, model_score)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_LAST = "SELECT verdict, label, reviewer, photo_id FROM review WHERE sha256 = ? ORDER BY id DESC LIMIT 1"
_STANDING_WITH_LABEL = """SELECT sha256, photo_id, path, model_id, model_label, model_score FROM review
    WHERE label = ? AND id = (SELECT max(id) FROM review AS word WHERE word.sha256 = review.sha256) ORDER BY id"""


class WordError(DogidError):
    """A label, or a person's name, that cannot be stored."""


class UnknownResultError(DogidError):
    """There is no result with an id."""


class UnknownLabelError(DogidError):
    """No photo has a label by a person's word that stands."""


class NoAnswerError(DogidError):
    """A result has no content yet that a word could be about, or no answer that could be confirmed."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says about one or more photos; made by the functions below."""

    verdict: str
    label: str | None
    by: str


def say_label(label: str, by: str) -> Word:
    """Return the word that a photo shows something, known to the model or not. Raise WordError."""
    return Word("labelled", check_label(label), _check_name(by))


def say_verdict(verdict: str, by: str) -> Word:
    """Return the word `confirmed`, `unsure` or `withdrawn`, which takes back the word before. Raise WordError."""
    if verdict not in VERDICTS or verdict == "labelled":
        raise WordError(f"there is no verdict {verdict!r}; verdicts are confirmed, unsure")
    return Word(verdict, None, _check_name(by))


def check_label(label: str) -> str:
    """Return a label in Unicode's form NFC, without white space and joiners around it. Raise WordError."""
    return _check_text(label, "label", MAX_LABEL)


def _check_name(name: str) -> str:
    return _check_text(name, "name of a person", MAX_NAME)


def _check_text(text: str, kind: str, most: int) -> str:
    if any(unicodedata.category(character) in _UNPRINTABLE and character not in _JOINERS for character in text):
        raise WordError(f"the {kind} has characters that cannot be seen: {text!a}")
    text = unicodedata.normalize("NFC", text)
    while (without := text.strip().strip(_JOINERS)) != text:
        text = without
    if not text:
        raise WordError(f"the {kind} is empty")
    if len(text) > most:
        raise WordError(f"the {kind} has {len(text)} characters; {most} are allowed")
    return text


def add_reviews(db: sqlite3.Connection, ids: Sequence[int], word: Word, now_ms: int) -> int:
    """Write a word on the contents of results, by id; return how many words were written.

    Nothing is written twice for one content, nor what the same person's word that stands says already, nor taken back
    where nothing stands. Raise UnknownResultError, or
    NoAnswerError; the caller rolls back, so that all get the word or none.
    """
    written: set[str] = set()
    for photo_id in ids:
        row = db.execute(_PHOTO, (photo_id,)).fetchone()
        if row is None:
            raise UnknownResultError(f"there is no result {photo_id}")
        (_, path, sha256, *answer) = row
        if sha256 is None:
            raise NoAnswerError(f"result {photo_id} has not been classified yet; try again when it is")
        label = word.label
        if word.verdict == "confirmed":
            label = answer[1]
            if label is None:
                raise NoAnswerError(f"result {photo_id} has no label that could be confirmed")
        last = db.execute(_LAST, (sha256,)).fetchone()
        if sha256 in written or _says_nothing(last, word, label):
            continue
        _add(db, (sha256, photo_id, path, word.verdict, label, word.by, now_ms, *answer))
        keep_embeddings(db, sha256, now_ms)
        written.add(sha256)
    return len(written)


def add_training_photo_reviews(db: sqlite3.Connection, photos: Mapping[str, str], word: Word, now_ms: int) -> int:
    """Write a word on photos that a model file carries; return how many words were written, as `add_reviews` does.

    Where a person's word on a result with the same content stands, that one stays, and none is written.
    photos are by content (SHA-256 in hex), with the label that the file has for each, which `confirmed` says is right.
    The label is kept as the model's answer, so that it can be had again where the word is taken back.
    """
    written = 0
    for sha256, label in photos.items():
        said = label if word.verdict == "confirmed" else word.label
        last = db.execute(_LAST, (sha256,)).fetchone()
        if _says_nothing(last, word, said) or _is_on_result(last):
            continue
        _add(db, (sha256, NO_RESULT, b"", word.verdict, said, word.by, now_ms, None, label, None))
        written += 1
    return written


def _says_nothing(last: sqlite3.Row | None, word: Word, label: str | None) -> bool:
    """Whether a word that stands says the same already, or there is none to take back."""
    if word.verdict == WITHDRAWN:
        return last is None or last[0] == WITHDRAWN
    return last is not None and tuple(last[:3]) == (word.verdict, label, word.by)


def _is_on_result(last: sqlite3.Row | None) -> bool:
    """Whether a word stands, and is about a photo that was in the inbox."""
    return last is not None and last[0] != WITHDRAWN and last[3] != NO_RESULT


def rename_label(db: sqlite3.Connection, old: str, new: str, by: str, now_ms: int) -> int:
    """Give all contents a label that have another by the word that stands; return how many.

    So two labels are merged, too. What was said before stays in the histories. Raise WordError where the new one cannot
    be a label or is the old one, UnknownLabelError where no content has the old one.
    """
    new, by = check_label(new), _check_name(by)
    if new == old:
        raise WordError("the two labels are the same")
    rows = db.execute(_STANDING_WITH_LABEL, (old,)).fetchall()
    if not rows:
        raise UnknownLabelError(_explain_unknown_label(db, old))
    for sha256, photo_id, path, *answer in rows:
        _add(db, (sha256, photo_id, path, "labelled", new, by, now_ms, *answer))
    return len(rows)


def _add(db: sqlite3.Connection, values: tuple[object, ...]) -> None:
    db.execute(_ADD, (take_next_seq(db), *values))


def _explain_unknown_label(db: sqlite3.Connection, label: str) -> str:
    given = sorted(found for (found,) in db.execute(_STANDING_LABELS) if isinstance(found, str))
    named = find_similar_labels(label, given, 3) or given[:_NAMED]
    return f"no photo has the label {label!r} by people; labels that people gave: {', '.join(named) or 'none'}"
