"""Photos of the model's own training whose labels contradict others, as the page of the models asks about them."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dogid.ledger.gallery_queries import find_content
from dogid.ledger.queries import find_result
from dogid.quantities import count_of
from dogid.result_document import Result
from dogid.web.api.reviews import MOST_IDS

_MOST_SHOWN = 12
"""Photos of each group that are shown one by one; what is said of the group is said of all."""
_SAID = {"relabel": "relabelled as {}", "drop": "left out", "keep": "kept as {}"}


@dataclass(frozen=True, slots=True)
class AskedPhoto:
    """A photo about which people are asked."""

    sha256: str
    reason: str
    result: Result | None
    """Of a photo here with the same content; None where there is none, and so no picture."""


@dataclass(frozen=True, slots=True)
class AskedGroup:
    """Photos with one label, which another speaks against: all of them here, or none."""

    label: str
    other: str
    is_here: bool
    """Whether their pictures can be shown; of others a person cannot say what they show."""
    contents: tuple[str, ...]
    """The SHA-256 of each, as many as a form may have."""
    shown: tuple[AskedPhoto, ...]

    @property
    def photos(self) -> str:
        """How many, in words."""
        return count_of(len(self.contents), "photo")


@dataclass(frozen=True, slots=True)
class AnsweredGroup:
    """Photos on which the same was answered."""

    contents: tuple[str, ...]
    said: str

    @property
    def photos(self) -> str:
        """How many, in words."""
        return count_of(len(self.contents), "photo")


@dataclass(frozen=True, slots=True)
class ContradictionPanel:
    """What the page shows of contradictions."""

    asked: list[AskedGroup]
    answered: list[AnsweredGroup]


def build_panel(db: sqlite3.Connection, documents: Iterable[Mapping[str, Any]]) -> ContradictionPanel:
    """Return the photos of documents, which are as `list_contradictions` returns them, in groups."""
    asked = [one for one in documents if one["answer"] is None]
    answered = [one for one in documents if one["answer"] is not None]
    questions = _group(asked, ("label", "other"))
    return ContradictionPanel(
        [group for (label, other), photos in questions for group in _ask(db, label, other, photos)],
        [
            AnsweredGroup(_contents(photos), _SAID[answer].format(label))
            for (answer, label), photos in _group(answered, ("answer", "answer_label"))
            if answer in _SAID
        ],
    )


def _group(
    documents: list[Mapping[str, Any]], keys: tuple[str, str]
) -> Iterable[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    def read(one: Mapping[str, Any]) -> tuple[str, str]:
        return str(one[keys[0]]), str(one[keys[1]])

    return [(group, list(photos)) for group, photos in groupby(sorted(documents, key=read), read)]


def _contents(photos: list[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(one["sha256"]) for one in photos[:MOST_IDS])


def _ask(db: sqlite3.Connection, label: str, other: str, photos: list[Mapping[str, Any]]) -> list[AskedGroup]:
    """Return the photos that are here, and those that are not, as two groups; without an empty one."""
    places = [(one, find_content(db, one["sha256"])) for one in photos[:MOST_IDS]]
    groups = []
    for is_here in (True, False):
        chosen = [(one, photo_id) for one, photo_id in places if (photo_id is not None) is is_here]
        shown = (
            AskedPhoto(one["sha256"], one["reason"], None if photo_id is None else find_result(db, photo_id))
            for one, photo_id in chosen[:_MOST_SHOWN]
        )
        if chosen:
            groups.append(AskedGroup(label, other, is_here, _contents([one for one, _ in chosen]), tuple(shown)))
    return groups
