"""The answers that a new model changes: what may be worse is looked at first."""

import numpy as np

from dogid.learning.changed_answers import find_changed_answers
from dogid.learning.photos import Parent, ReviewedPhoto
from dogid.model.head import Head

LABELS = ("ant", "bee", "other")


def answering(*answers: int) -> Head:
    """Return a layer whose answer to the photo with number n, the n-th unit vector, is answers[n]."""
    strength = np.arange(2, 2 + len(answers))  # later photos are surer
    return Head((np.eye(3)[list(answers)] * strength[:, None]).T.astype(np.float32), np.zeros(3, np.float32))


def test_regressions_come_first() -> None:
    photos = np.eye(6, dtype=np.float32)
    parent = Parent(answering(0, 1, 2, 0, 1, 0), LABELS, None)
    new = answering(1, 0, 0, 2, 1, 2)
    said = [
        ReviewedPhoto(f"{at}.jpg", f"{at:064x}", label, photos[at], "", None)
        for at, label in ((0, "ant"), (1, "other"), (2, "ant"), (4, "ant"))
    ]

    found = find_changed_answers(parent, new, LABELS, said, photos)

    assert [(one.kind, one.before, one.after) for one in found[:2]] == [
        ("contradicts", "ant", "bee"),  # the former answer was right
        ("contradicts", "bee", "ant"),
    ]
    assert [(one.said, one.sha256) for one in found[:2]] == [("ant", f"{0:064x}"), ("other", f"{1:064x}")]
    assert [(one.kind, one.place) for one in found[2:]] == [
        ("lost", 5), ("lost", 3), ("changed", 2), ("changed", 1), ("changed", 0),
    ]  # fmt: skip
