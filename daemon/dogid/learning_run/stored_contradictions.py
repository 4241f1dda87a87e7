"""Photos of the model's own training whose labels contradict others, with what people answered: relabel, drop, keep.

An answer is a review of the photo's content: `labelled`, `unsure` or `confirmed`; the next learning run goes by it.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dogid.clock import iso_utc
from dogid.errors import DogidError
from dogid.ledger.review_writer import Word, WordError, say_label, say_verdict
from dogid.ledger.reviews import Review, find_reviewed_results, list_training_photo_reviews

ANSWERS = {"relabel": "labelled", "drop": "unsure", "keep": "confirmed"}
"""What people can answer, with the verdict of the review that it becomes."""
ALL = "all"
"""What stands for all photos that a question is about."""
_FEWEST_DIGITS = 6  # of a hash that is given in part; fewer are ambiguous among a few thousand photos
_OF_VERDICT = {verdict: answer for answer, verdict in ANSWERS.items()}

Document = dict[str, Any]


class UnknownPhotoError(DogidError):
    """A photo that is not among those whose labels contradict others."""


def list_stored_contradictions(db: sqlite3.Connection, contradictions: Iterable[Mapping[str, Any]]) -> list[Document]:
    """Return what people are asked, first, and what they have answered, each photo once.

    contradictions are those of a learning run or a check, as in its JSON; reviewed photos among them, also those
    reviewed since, are left out: `dogid label` answers those. Keys: sha256, label (in the model's file), other (the one
    that speaks against it), reason, answer, answer_label, by, at; other and reason are None of a photo that is answered
    and asked no longer.
    """
    answered = {review.sha256: review for review in list_training_photo_reviews(db)}
    asked: dict[str, Document] = {}
    for one in contradictions:
        if one["name"] is None and one["sha256"] not in asked:
            asked[one["sha256"]] = {key: one[key] for key in ("sha256", "label", "other", "reason")}
    for sha256 in find_reviewed_results(db, asked):
        del asked[sha256]
    for sha256, review in answered.items():
        asked.setdefault(sha256, {"sha256": sha256, "label": review.model_label, "other": None, "reason": None})
    documents = [one | _describe_answer(answered.get(one["sha256"])) for one in asked.values()]
    return sorted(documents, key=lambda one: one["answer"] is not None)


def _describe_answer(review: Review | None) -> Document:
    if review is None:
        return {"answer": None, "answer_label": None, "by": None, "at": None}
    answer = _OF_VERDICT.get(review.verdict)
    return {"answer": answer, "answer_label": review.label, "by": review.by, "at": iso_utc(review.at)}


def group_contradictions(photos: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return photos of the model's own training by their label and the one that speaks against it, as LABEL>OTHER."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for one in photos:
        groups.setdefault(f"{one['label']}>{one['other']}", []).append(one)
    return groups


def choose_photos(asked: Sequence[Mapping[str, Any]], given: Sequence[str], *, answered: bool) -> list[str]:
    """Return the SHA-256 of photos that were given: by the beginnings of these, by groups, or `all`.

    asked is as `list_stored_contradictions` returns it. answered: whether groups and `all` are of the photos with an
    answer, or of those without. Raise UnknownPhotoError.
    """
    eligible = [one for one in asked if (one["answer"] is not None) == answered]
    groups = group_contradictions(eligible)
    chosen: dict[str, None] = {}
    for text in given:
        if text == ALL or text in groups:
            chosen.update(dict.fromkeys(one["sha256"] for one in (eligible if text == ALL else groups[text])))
        elif ">" in text:
            raise UnknownPhotoError(f"there is no group {text!r}; groups are: {', '.join(groups) or 'none'}")
        else:
            chosen[_complete(text, [one["sha256"] for one in asked])] = None
    return list(chosen)


def _complete(given: str, hashes: Sequence[str]) -> str:
    found = [sha256 for sha256 in hashes if sha256.startswith(given.lower())] if len(given) >= _FEWEST_DIGITS else []
    if len(found) != 1:
        reason = "several photos have" if found else "no photo that contradicts others has"
        raise UnknownPhotoError(f"{reason} a SHA-256 that begins with {given!r}: dogid learn --check --json lists them")
    return found[0]


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
