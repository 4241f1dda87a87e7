"""A learning run's report, as the page of the models shows it."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dogid.ledger.queries import find_result
from dogid.ledger.reviews import list_reviews
from dogid.result_document import Result

_MOST_PICTURES = 12
"""Photos of each kind that are shown; `GET /learn` has more."""


@dataclass(frozen=True, slots=True)
class ShownPhoto:
    """A photo, and what the report says about it."""

    result: Result
    text: str


@dataclass(frozen=True, slots=True)
class ReportSummary:
    """What the page shows of a report."""

    model: str
    """The new model's name on the shelf."""
    passed: bool
    at: str
    """ISO 8601, UTC."""
    figures: list[str]
    """What the gate went by; those that begin with two blanks say why the model did not pass."""
    lines: list[str]
    """The whole report as `dogid learn` prints them; those that begin with two blanks belong to the line before."""
    changed: list[ShownPhoto]
    """Photos that would get another answer."""
    contradictions: list[ShownPhoto]
    """Reviewed photos whose label contradicts another."""


def summarize_report(db: sqlite3.Connection, report: Mapping[str, Any]) -> ReportSummary | None:
    """Return what the page shows of a report; None where another version of dogid wrote it, so that it lacks a part."""
    from dogid.learning_run.report import (  # with all of learning, which no other page needs
        format_figures,
        format_report,
    )

    try:
        changes = report["replay"]["photos_changed"][:_MOST_PICTURES]
        contradictions = [one for one in report["contradictions"] if one["name"] is not None][:_MOST_PICTURES]
        return ReportSummary(
            model=report["name"],
            passed=report["passed"],
            at=report["at"],
            figures=format_figures(dict(report)),
            lines=format_report(dict(report)),
            changed=_find_photos(db, [(one["id"], _describe_change(one)) for one in changes]),
            contradictions=_find_photos(
                db, [(_reviewed_id(db, one["sha256"]), one["reason"]) for one in contradictions]
            ),
        )
    except (KeyError, TypeError):
        return None


def _describe_change(change: Mapping[str, Any]) -> str:
    said = change.get("said")
    return f"{change['before']} → {change['after']}" + (f", but a person said {said}" if said else "")


def _reviewed_id(db: sqlite3.Connection, sha256: str) -> int:
    """Return the id of the result that was reviewed last with this content; 0 where there is none."""
    reviews = list_reviews(db, sha256, limit=1)
    return reviews[0].photo_id if reviews else 0


def _find_photos(db: sqlite3.Connection, texts: list[tuple[int, str]]) -> list[ShownPhoto]:
    found = [(find_result(db, photo_id), text) for photo_id, text in texts]
    return [ShownPhoto(result, text) for result, text in found if result is not None and result["sha256"] is not None]
