"""Photos of the model's own training whose labels contradict others, with what people answered: relabel, drop, keep.

An answer is a review of the photo's content: `labelled`, `unsure` or `confirmed`; the next learning run goes by it.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dogid.clock import iso_utc
from dogid.errors import DogidError
from dogid.ledger.review_writer import Word, WordError, say_label, say_verdict
from dogid.ledger.reviews import Review, list_training_photo_reviews

ANSWERS = {"relabel": "labelled", "drop": "unsure", "keep": "confirmed"}
"""What people can answer, with the verdict of the review that it becomes."""
_OF_VERDICT = {verdict: answer for answer, verdict in ANSWERS.items()}

Document = dict[str, Any]


class UnknownPhotoError(DogidError):
    """A photo that is not among those whose labels contradict others."""


def list_stored_contradictions(db: sqlite3.Connection, contradictions: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Return what people are asked, first, and what they have answered, each photo once.

    contradictions are those of a learning run or a check, as in its JSON; reviewed photos among them are left out:
    `dogid label` answers those. Keys: sha256, label (in the model's file), other (the one that speaks against it),
    reason, answer, answer_label, by, at; other and reason are None of a photo that is answered and asked no longer.
    """
    answered = {review.sha256: review for review in list_training_photo_reviews(db)}
    asked: dict[str, Document] = {}
    for one in contradictions:
        if one["name"] is None and one["sha256"] not in asked:
            asked[one["sha256"]] = {key: one[key] for key in ("sha256", "label", "other", "reason")}
    for sha256, review in answered.items():
        asked.setdefault(sha256, {"sha256": sha256, "label": review.model_label, "other": None, "reason": None})
    documents = [one | _describe_answer(answered.get(one["sha256"])) for one in asked.values()]
    return sorted(documents, key=lambda one: one["answer"] is not None)


def _describe_answer(review: Review | None) -> Document:
    if review is None:
        return {"answer": None, "answer_label": None, "by": None, "at": None}
    answer = _OF_VERDICT.get(review.verdict)
    return {"answer": answer, "answer_label": review.label, "by": review.by, "at": iso_utc(review.at)}


def make_words(
    asked: Sequence[Mapping[str, Any]], chosen: Sequence[str], answer: str | None, label: str | None, by: str
) -> list[tuple[dict[str, str], Word]]:
    """Return the words that an answer becomes, each with its photos: their contents and their labels in the file.

    asked is as `list_stored_contradictions` returns it, chosen the SHA-256 of photos. answer: a key of ANSWERS, None
    to take back the one before. label is what the photos show, for `relabel`; None: what speaks against their own.
    Raise UnknownPhotoError; WordError where there is no such answer, or no label.
    """
    if answer is not None and answer not in ANSWERS:
        raise WordError(f"there is no answer {answer!r}; answers are {', '.join(ANSWERS)}")
    if label is not None and answer != "relabel":
        raise WordError("only relabel takes a label")
    known = {one["sha256"]: one for one in asked}
    by_label: dict[str | None, dict[str, str]] = {}
    for sha256 in chosen:
        if (one := known.get(sha256)) is None:
            raise UnknownPhotoError(f"no photo of the model's training with the SHA-256 {sha256} contradicts others")
        given = (label or one["other"]) if answer == "relabel" else None
        if answer == "relabel" and given is None:
            raise WordError("say with which label: nothing speaks against the present one any more")
        by_label.setdefault(given, {})[sha256] = one["label"] or ""
    return [(photos, _make_word(answer, given, by)) for given, photos in by_label.items()]


def _make_word(answer: str | None, label: str | None, by: str) -> Word:
    if label is not None:
        return say_label(label, by)
    return say_verdict("withdrawn" if answer is None else ANSWERS[answer], by)
