"""Going through the photos with an older model's answer: what would change, and, where that is wanted, changing it."""

import contextlib
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dogid.clock import Clock
from dogid.file_names import shown_name
from dogid.ledger.database import open_for_changes
from dogid.ledger.models import register_model
from dogid.ledger.queries import MAX_ID
from dogid.ledger.replays import NewAnswer, OlderAnswer, list_older_answers, replace_answers
from dogid.ledger.reviews import find_standing_review
from dogid.model.classifier import Model
from dogid.replay.photo_answerer import PhotoAnswerer, Skipped

_PAGE = 200  # photos that are read from the ledger at once
_APPLY_SECONDS = 3.0  # between two transactions: a kill repeats what was answered since; less writes more often
_EXAMPLES = 5  # of each change

OnPhoto = Callable[[], None]
"""Called after each photo."""


@dataclass(slots=True)
class Report:
    """What a replay has found so far."""

    photos: int
    """That had an older model's answer at the beginning."""
    answered: int = 0
    changed: int = 0
    """Whose label is another."""
    replaced: int = 0
    """Answers that are the current ones now."""
    skipped: Counter[Skipped] = field(default_factory=Counter)
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(label before, label now), of all that were answered."""
    examples: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    reviewed: int = 0
    """Photos that a person has labelled: that label stands whatever a model answers."""
    agreed_before: int = 0
    agreed_now: int = 0
    """Those of them to which the model's label is the person's."""

    def add(self, answer: NewAnswer, reviewed_label: str | None) -> None:
        """Count an answer; reviewed_label is a person's, where one has labelled the photo."""
        older, labels = answer.older, (answer.older.label, answer.label)
        self.answered += 1
        self.transitions[labels] += 1
        if reviewed_label is not None:
            self.reviewed += 1
            self.agreed_before += older.label == reviewed_label
            self.agreed_now += answer.label == reviewed_label
        if answer.is_changed:
            self.changed += 1
            if len(self.examples[labels]) < _EXAMPLES:
                scores = {"score_before": older.score, "score_now": answer.scores[answer.label]}
                self.examples[labels].append({"id": older.photo_id, "file": shown_name(older.path), **scores})

    def document(self) -> dict[str, Any]:
        """Return it for JSON: changes of labels, the most frequent first."""
        changes = [
            {"from": before, "to": now, "count": count, "examples": self.examples.get((before, now), [])}
            for (before, now), count in self.transitions.most_common()
            if before != now
        ]
        counts: dict[str, dict[str, int]] = defaultdict(lambda: {"before": 0, "now": 0})
        for (before, now), count in self.transitions.items():
            counts[before]["before"] += count
            counts[now]["now"] += count
        return {
            "photos": self.photos,
            "answered": self.answered,
            "changed": self.changed,
            "replaced": self.replaced,
            "skipped": {reason.value: self.skipped[reason] for reason in Skipped},
            "labels": dict(sorted(counts.items())),
            "changes": changes,
            "reviewed": {
                "photos": self.reviewed,
                "agreed_before": self.agreed_before,
                "agreed_now": self.agreed_now,
            },
        }


def replay(
    db: sqlite3.Connection, model: Model, answerer: PhotoAnswerer, report: Report, on_photo: OnPhoto, applier: "Applier"
) -> None:
    """Answer all photos with an older model's answer, newest first, and count into report.

    db is a connection for reading. What the applier gets becomes current.
    """
    for older in _older_answers(db, model.file.sha256, answerer.network):
        answer = answerer.answer(older)
        if isinstance(answer, Skipped):
            report.skipped[answer] += 1
        else:
            review = find_standing_review(db, older.sha256)
            report.add(answer, None if review is None else review.label)
            report.replaced += applier.add(answer)
        on_photo()
    report.replaced += applier.flush()


def _older_answers(db: sqlite3.Connection, sha256: str, network: str | None) -> Iterator[OlderAnswer]:
    before = MAX_ID
    while page := list_older_answers(db, sha256, before=before, limit=_PAGE, network=network):
        yield from page
        before = page[-1].photo_id


class Applier:
    """Makes answers the current ones, many in one transaction; this one, which changes nothing, is for a dry run."""

    def add(self, answer: NewAnswer) -> int:  # noqa: ARG002
        """Take an answer; return how many have become current."""
        return 0

    def flush(self) -> int:
        """Make all that were taken current; return how many have become that."""
        return 0


class LedgerApplier(Applier):
    """Writes to the ledger beside the daemon that may run: its transactions and these wait for one another."""

    def __init__(self, state: Path, model: Model, clock: Clock, check: Callable[[], None]) -> None:
        """Open the ledger. check is called in each transaction, before it changes anything, and may raise.

        Raise sqlite3.OperationalError, or UsageError where an older dogid wrote the ledger.
        """
        self._db = open_for_changes(state)
        self._model, self._clock, self._check = model, clock, check
        self._taken: list[NewAnswer] = []
        self._flushed = time.monotonic()

    def add(self, answer: NewAnswer) -> int:
        """Take an answer; return how many have become current."""
        self._taken.append(answer)
        is_due = len(self._taken) >= _PAGE or time.monotonic() - self._flushed > _APPLY_SECONDS
        return self.flush() if is_due else 0

    def flush(self) -> int:
        """Make all that were taken current; return how many have become that.

        Raise sqlite3.OperationalError; what the check raises, and nothing has changed.
        """
        replaced = 0
        if self._taken:
            self._db.execute("BEGIN IMMEDIATE")  # from here on no other writer changes what is compared
            with self._db:
                self._check()
                model_id = register_model(self._db, self._model.file.name, self._model.file.sha256, self._model.labels)
                replaced = replace_answers(self._db, self._taken, model_id, self._clock)
            self._taken.clear()
        self._flushed = time.monotonic()
        return replaced

    def close(self) -> None:
        """Close the ledger; what was taken and not flushed is left as it was."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
