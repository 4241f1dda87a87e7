"""What the pages for reviews show beside the photos: labels to choose, progress, and what was said last."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from dogid.learning_run.learning_state import ENOUGH_PHOTOS
from dogid.ledger.reviews import Review, count_reviewed_labels, count_reviews, list_newest_reviews
from dogid.quantities import count_of
from dogid.web.api.reviews import MOST_IDS
from dogid.web.pages.formatting import visible

_BUTTONS = 9
"""Labels with a button and a key of their own: one for each digit."""
_MAX_LISTED = 300
"""Labels that are proposed while one is typed; each makes the page some 30 bytes longer."""
_NEW_LABELS = 3
"""New labels whose progress is shown."""
_STEPS = 5
"""What was said last and can be taken back on the page; all else on the photos' own pages."""


@dataclass(frozen=True, slots=True)
class LabelButtons:
    """Labels that can be given to photos."""

    numbered: tuple[str, ...]
    """Those with a button, the most used first."""
    known: tuple[str, ...]
    """Those that are proposed while one is typed."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was said at once about one or more photos."""

    ids: tuple[int, ...]
    said: str
    at: int
    """Milliseconds since 1970."""

    @property
    def photos(self) -> str:
        """How many photos, in words."""
        return count_of(len(self.ids), "photo")


def label_buttons(db: sqlite3.Connection, model_labels: Sequence[str]) -> LabelButtons:
    """Return the labels that people gave, the most used first, then the model's."""
    used = count_reviewed_labels(db)
    given = sorted(used, key=lambda label: (-used[label], label))
    known = tuple(dict.fromkeys((*given, *model_labels)))[:_MAX_LISTED]
    return LabelButtons(known[:_BUTTONS], known)


def describe_progress(db: sqlite3.Connection, model_labels: Sequence[str]) -> str:
    """Return how many photos were looked at, and how many of each new label there are, of those that are enough."""
    counts = count_reviews(db)
    looked_at = counts["labelled"] + counts["confirmed"] + counts["unsure"]
    progress = f"{count_of(looked_at, 'photo')} looked at, {counts['corrected']} corrected"
    used = count_reviewed_labels(db)
    new = sorted(used.keys() - set(model_labels), key=lambda label: (-used[label], label))[:_NEW_LABELS]
    if not new:
        return progress
    return f"{progress}; new labels: {', '.join(_describe_count(label, used[label]) for label in new)}"


def _describe_count(label: str, count: int) -> str:
    return (
        f"{visible(label)} ({count} of {ENOUGH_PHOTOS} photos)"
        if count < ENOUGH_PHOTOS
        else f"{visible(label)} ({count}, enough to learn)"
    )


def list_last_steps(db: sqlite3.Connection) -> list[Step]:
    """Return what was said last, the newest first; photos that got a word at the same moment are one step."""
    steps = groupby(list_newest_reviews(db, MOST_IDS), lambda review: (review.at, review.verdict, review.label))
    found = [_as_step(list(reviews)) for _, reviews in steps]
    return found[:_STEPS]


def _as_step(reviews: Sequence[Review]) -> Step:
    said = reviews[0].verdict if reviews[0].label is None else f"{reviews[0].verdict} {visible(reviews[0].label)}"
    return Step(tuple(review.photo_id for review in reviews), said, reviews[0].at)
