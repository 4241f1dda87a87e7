"""What a new model answers otherwise than the former one; what may be worse comes first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dogid.learning.photos import Parent, ReviewedPhoto
from dogid.learning.standardisation import Floats
from dogid.model.head import Head

_OTHER = "other"  # by convention the label of what is none of the others


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """A photo that gets another answer."""

    kind: str
    """`contradicts`: a person's word; `lost`: a label that became `other`; `changed`: all else."""
    before: str
    after: str
    place: int | None
    """Among the recent photos; None of a reviewed one."""
    sha256: str | None
    """Of a reviewed photo, in hex."""
    said: str | None
    """What a person said that a reviewed photo shows."""


def find_changed_answers(
    parent: Parent, head: Head, labels: Sequence[str], reviewed: Sequence[ReviewedPhoto], recent: Floats
) -> tuple[ChangedAnswer, ...]:
    """Return the photos that get another answer; of reviewed ones those whose new answer is not what a person said.

    head and labels are the new model's, recent [photos, width] the newest embeddings. First come reviewed photos that
    the former model answers rightly, then other reviewed ones, then recent ones that become `other`, then the rest;
    each the surest of the former answers first.
    """
    embeddings = np.array([photo.embedding for photo in reviewed], np.float32).reshape(-1, head.weights.shape[1])
    contradicted = [
        ChangedAnswer("contradicts", former, new, None, reviewed[at].sha256, reviewed[at].label)
        for at, former, new in _compare(parent, head, labels, embeddings)
        if new != reviewed[at].label
    ]
    others = [
        ChangedAnswer("lost" if new == _OTHER else "changed", former, new, at, None, None)
        for at, former, new in _compare(parent, head, labels, recent)
    ]
    contradicted.sort(key=lambda one: one.before != one.said)
    others.sort(key=lambda one: one.kind != "lost")
    return *contradicted, *others


def _compare(parent: Parent, head: Head, labels: Sequence[str], embeddings: Floats) -> list[tuple[int, str, str]]:
    """Return places, former and new answers where these differ, the surest of the former first."""
    if not len(embeddings):
        return []
    scores = parent.head.scores(embeddings)
    before, after = scores.argmax(axis=1), head.logits(embeddings).argmax(axis=1)
    answers = [
        (at, parent.labels[before[at]], labels[after[at]])
        for at in np.argsort(-scores.max(axis=1), kind="stable").tolist()
    ]
    return [one for one in answers if one[1] != one[2]]
