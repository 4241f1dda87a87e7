"""How answers change over the weeks: their certainty, what is unsure, what people correct, by model and by camera.

Of each week its newest photos are read, through an index: it takes as long with a million photos as with ten thousand.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dogid.clock import iso_utc
from dogid.file_names import shown_name
from dogid.ledger.gallery_queries import find_first_ids_since

WEEKS = 8
"""Weeks of seven days, the last of which ends now."""
PHOTOS_A_WEEK = 1000
"""The newest of each week. More take longer; with fewer, a share of 5 % is uncertain by more than 1.4 points."""
MOST_FOLDERS = 20
"""Those with the most photos: each is a line of the page and a label of metrics."""
_MOST_MODELS = 5  # of a week
_MOST_REVIEWS = 3000  # the newest: more take longer
_WEEK_MS = 7 * 24 * 3600 * 1000
_OTHER = "other"  # by convention the label of what is none of the others
_PHOTOS = """SELECT path, label, score, name FROM photo INDEXED BY photo_state JOIN model ON model.id = model_id
    WHERE state = 'classified' AND photo.id >= ? AND photo.id < ? ORDER BY photo.id DESC LIMIT ?"""
_REVIEWS = """SELECT review.sha256, path, at, label, model_label, name FROM
    (SELECT * FROM review WHERE photo_id != 0 ORDER BY id DESC LIMIT ?) AS review LEFT JOIN model ON model.id = model_id
    ORDER BY review.id DESC"""


@dataclass(slots=True)
class Figures:
    """What is known of some answers."""

    photos: int = 0
    """That were looked at."""
    total_score: float = 0.0
    other: int = 0
    """With the label `other`."""
    unsure: int = 0
    """With a score below the threshold of their label."""
    reviewed: int = 0
    """Contents that people labelled or confirmed."""
    corrected: int = 0
    """Of these, with another label than the model's."""

    @property
    def mean_score(self) -> float | None:
        """How certain the answers are, 0..1; None without any."""
        return self.total_score / self.photos if self.photos else None

    @property
    def other_share(self) -> float | None:
        """0..1; None without photos."""
        return self.other / self.photos if self.photos else None

    @property
    def unsure_share(self) -> float | None:
        """0..1; None without photos."""
        return self.unsure / self.photos if self.photos else None

    def describe(self) -> dict[str, float | None]:
        """Return the figures as JSON."""
        shares = {"mean_score": self.mean_score, "other_share": self.other_share, "unsure_share": self.unsure_share}
        rounded = {name: None if share is None else round(share, 4) for name, share in shares.items()}
        return {"photos": self.photos, **rounded, "reviewed": self.reviewed, "corrected": self.corrected}


@dataclass(slots=True)
class Week:
    """Seven days."""

    since: int
    """Its beginning, in milliseconds since 1970."""
    figures: Figures = field(default_factory=Figures)
    models: defaultdict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    folders: defaultdict[str, Figures] = field(default_factory=lambda: defaultdict(Figures))
    """By the first folder of the inbox, which is a camera's; empty for the inbox itself."""

    def list_figures(self, folder: bytes, model: str | None) -> list[Figures]:
        """Return the figures that photos of a folder, empty or with a slash behind it, and a model belong to."""
        found = [self.figures, self.folders[shown_name(folder.removesuffix(b"/"))]]
        return found if model is None else [*found, self.models[model]]


@dataclass(frozen=True, slots=True)
class Drift:
    """The last weeks, newest first."""

    weeks: tuple[Week, ...]

    def list_folders(self) -> list[tuple[str, Figures, Figures]]:
        """Return (folder, figures of the last week, figures of those before), those of the most photos first."""
        photos = Counter[str]()
        for week in self.weeks:
            photos.update({folder: figures.photos + figures.reviewed for folder, figures in week.folders.items()})
        recent, before = self.weeks[0].folders, _add(week.folders for week in self.weeks[1:])
        found = [folder for folder, _ in photos.most_common(MOST_FOLDERS)]
        return [(folder, recent.get(folder, Figures()), before.get(folder, Figures())) for folder in found]

    def describe(self) -> dict[str, object]:
        """Return the JSON of `/status` and `dogid status`; weeks without a photo are left out."""
        return {
            "photos_a_week": PHOTOS_A_WEEK,
            "weeks": [
                {
                    "since": iso_utc(week.since),
                    **week.figures.describe(),
                    "models": [
                        {"model": name, **figures.describe()}
                        for name, figures in sorted(week.models.items(), key=lambda one: -one[1].photos)[:_MOST_MODELS]
                    ],
                }
                for week in self.weeks
                if week.figures.photos or week.figures.reviewed
            ],
            "folders": [
                {"folder": folder, "recent": recent.describe(), "before": before.describe()}
                for folder, recent, before in self.list_folders()
            ],
        }


def read_drift(db: sqlite3.Connection, now_ms: int, thresholds: Mapping[str, float]) -> Drift:
    """Return the figures of the last weeks before a moment, in milliseconds since 1970.

    thresholds are scores (0..1) by label, below which an answer is unsure.
    """
    weeks = tuple(Week(now_ms - (back + 1) * _WEEK_MS) for back in range(WEEKS))
    firsts = find_first_ids_since(db, [*(week.since for week in weeks), now_ms + _WEEK_MS])
    ends = [firsts[-1], *firsts]
    for week, first, end in zip(weeks, firsts, ends, strict=False):
        _add_photos(db, week, (first, end), thresholds)
    _count_reviews(db, weeks)
    return Drift(weeks)


def _add_photos(db: sqlite3.Connection, week: Week, ids: tuple[int, int], thresholds: Mapping[str, float]) -> None:
    """Add the newest photos with an id of first <= id < end."""
    groups: dict[tuple[bytes, str, str], list[float]] = {}  # few: adding each photo to all figures would take longer
    for path, label, score, model in db.execute(_PHOTOS, (*ids, PHOTOS_A_WEEK)):
        key = path[: path.find(b"/") + 1], model, label
        if (scores := groups.get(key)) is None:
            scores = groups[key] = []
        scores.append(score)
    for (folder, model, label), scores in groups.items():
        threshold = thresholds.get(label, 0.0)
        unsure = sum(score < threshold for score in scores) if threshold else 0
        for figures in week.list_figures(folder, model):
            figures.photos += len(scores)
            figures.total_score += sum(scores)
            figures.other += len(scores) if label == _OTHER else 0
            figures.unsure += unsure


def _count_reviews(db: sqlite3.Connection, weeks: tuple[Week, ...]) -> None:
    seen: set[str] = set()
    counts = Counter[tuple[int, bytes, str | None, bool]]()
    for sha256, path, at, label, model_label, model in db.execute(_REVIEWS, (_MOST_REVIEWS,)):
        if sha256 not in seen and label is not None and at >= weeks[-1].since:
            back = next(back for back, week in enumerate(weeks) if week.since <= at)
            counts[back, path[: path.find(b"/") + 1], model, label != model_label] += 1
        seen.add(sha256)
    for (back, folder, model, is_corrected), number in counts.items():
        for figures in weeks[back].list_figures(folder, model):
            figures.reviewed += number
            figures.corrected += number if is_corrected else 0


def _add(parts: Iterable[Mapping[str, Figures]]) -> dict[str, Figures]:
    by_folder = defaultdict[str, list[Figures]](list)
    for part in parts:
        for folder, figures in part.items():
            by_folder[folder].append(figures)
    return {folder: add_figures(found) for folder, found in by_folder.items()}


def add_figures(parts: Iterable[Figures]) -> Figures:
    """Return the figures of all photos of the parts."""
    total = Figures()
    for part in parts:
        for name in ("photos", "total_score", "other", "unsure", "reviewed", "corrected"):
            setattr(total, name, getattr(total, name) + getattr(part, name))
    return total
