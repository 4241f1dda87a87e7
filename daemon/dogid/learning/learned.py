"""What came of learning: the new layer, how good it is, and what cannot be known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.metrics import expected_calibration_error
from dogid.learning.contradictions import (
    Contradiction,
)
from dogid.learning.cross_validation import AllLogits, OldLogits
from dogid.learning.gate import Comparison, Gate, judge
from dogid.learning.material import Material, select
from dogid.learning.photos import Indices, Mask, Parent
from dogid.learning.precise_thresholds import PreciseThreshold, propose_thresholds
from dogid.learning.standardisation import Floats
from dogid.learning.temperature_scaling import softmax
from dogid.model.head import Head
from dogid.model.training_embeddings import TrainingEmbeddings

FEWEST_TO_CALIBRATE = 100  # photos judged; a temperature of fewer is chance


@dataclass(frozen=True, slots=True)
class NewLabel:
    """What is known about a label that was learned from reviews alone."""

    label: str
    photos: int
    clusters: int
    recall: float | None
    """Of its photos, each answered by a row that was not fitted to its cluster; None where there are too few."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was learned from."""

    stored: int
    """Photos whose embeddings the parent carries and that were used."""
    reviewed: int
    clusters: int
    """Of the reviewed photos, near-duplicates counted once."""
    known: int
    """Reviewed photos that the parent has learned already."""
    left_out: int
    """Photos with unanswered contradictions."""
    relabelled: int
    """Stored photos that people gave another label."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the new model answers differently to recent photos."""

    before: str
    after: str
    photos: int


@dataclass(frozen=True, slots=True)
class Learned:
    """A new last layer, and what is known about it."""

    head: Head
    """With its temperature."""
    labels: tuple[str, ...]
    temperature: float
    embeddings: TrainingEmbeddings
    """For the model's file: the parent's, and the reviewed photos'."""
    learned_from: tuple[str, ...]
    """SHA-256, in hex, of all reviewed photos that are in it."""
    counts: Counts
    new_labels: tuple[NewLabel, ...]
    contradictions: tuple[Contradiction, ...]
    gate: Gate
    calibration_before: float | None
    """Expected calibration error on photos that were not learned from; None where there are too few."""
    calibration_after: float | None
    recent: int
    """Newest photos that both models answered."""
    changes: tuple[Change, ...]
    """Most frequent first."""
    changed: tuple[tuple[int, str, str], ...]
    """Their places among the recent photos, with the former and the new answer; the surest of the former first."""
    thresholds: tuple[PreciseThreshold, ...]
    """By which the answers of each label are as precise as was asked for."""
    notes: tuple[str, ...]
    """What cannot be known, and why."""


def conclude(
    parent: Parent, material: Material, head: Head, old: OldLogits, found: AllLogits, temperature: float,
    contradictions: tuple[Contradiction, ...], recent: Floats, out: Mask,
) -> Learned:  # fmt: skip
    """Return what came of learning.

    old and found are logits by layers that were not fitted to the photo, out [stored photos] those that contradictions
    leave out, recent [photos, width] what both models answer.
    """
    stored, fresh, labels = material.stored, material.fresh, material.labels
    judged = ~found.unjudged
    before_fresh = parent.head.logits(fresh.embeddings).argmax(axis=1)
    reviewed = Comparison(
        before_fresh[judged] == fresh.labels[judged],
        found.fresh[judged].argmax(axis=1) == fresh.labels[judged],
        np.unique(fresh.clusters[judged], return_inverse=True)[1].astype(np.intp),
        fresh.labels[judged],
    )
    unseen = old.is_old & ~out & ~stored.network_trained & (not material.is_pseudo)
    judged_old = Comparison(
        old.places[old.stored_before[unseen].argmax(axis=1)] == stored.labels[unseen],
        found.stored[unseen].argmax(axis=1) == stored.labels[unseen],
        np.arange(int(unseen.sum()), dtype=np.intp),
        stored.labels[unseen].astype(np.intp),
    )
    lost = sorted(set(parent.labels) - set(labels))
    gate = judge(reviewed, judged_old, labels, lost)
    calibration = (
        (
            expected_calibration_error(softmax(old.stored_before[unseen]), _places(old, stored.labels[unseen])),
            expected_calibration_error(softmax(found.stored[unseen] / temperature), stored.labels[unseen]),
        )
        if int(unseen.sum()) >= FEWEST_TO_CALIBRATE
        else (None, None)
    )
    changed = _find_changed(parent, head, labels, recent)
    left_out = int(out.sum()) + len({one.sha256 for one in contradictions if one.name is not None})
    return Learned(
        head=head,
        labels=labels,
        temperature=temperature,
        embeddings=_join(material),
        learned_from=tuple(sorted(parent.learned_from | {photo.sha256 for photo in fresh.photos})),
        counts=Counts(
            stored=0 if material.is_pseudo else int((~out).sum()),
            reviewed=len(fresh.photos),
            clusters=len(np.unique(fresh.clusters)),
            known=material.known,
            left_out=left_out,
            relabelled=material.relabelled,
        ),
        new_labels=_describe_new(material, found),
        contradictions=contradictions,
        gate=gate,
        calibration_before=calibration[0],
        calibration_after=calibration[1],
        recent=len(recent),
        changes=_count_changes(changed),
        changed=changed,
        thresholds=(),
        notes=_note(material, found, unseen),
    )


def propose_label_thresholds(
    material: Material, old: OldLogits, found: AllLogits, temperature: float, out: Mask, precision: float
) -> tuple[PreciseThreshold, ...]:
    """Return thresholds by the answers to photos that neither the network nor the layer had learned from."""
    stored, fresh = material.stored, material.fresh
    unseen, judged = old.is_old & ~out & ~stored.network_trained & (not material.is_pseudo), ~found.unjudged
    scores = softmax(np.concatenate([found.stored[unseen], found.fresh[judged]]) / temperature)
    truth = np.concatenate([stored.labels[unseen], fresh.labels[judged]])
    return propose_thresholds(scores, truth, material.labels, precision)


def _places(old: OldLogits, labels: NDArray[np.integer]) -> Indices:
    return np.searchsorted(old.places, labels).astype(np.intp)


def _join(material: Material) -> TrainingEmbeddings:
    """Return what the new model's file carries: stored photos, with new labels where people gave them, and reviewed."""
    stored, fresh = material.stored, material.fresh
    if material.is_pseudo:
        stored = select(stored, np.zeros(len(stored.labels), bool))
    return replace(
        stored,
        embeddings=np.concatenate([stored.embeddings, fresh.embeddings]),
        labels=np.concatenate([stored.labels, fresh.labels]),
        sha256=(*stored.sha256, *(photo.sha256 for photo in fresh.photos)),
        network_trained=np.concatenate([stored.network_trained, np.zeros(len(fresh.labels), bool)]),
    )


def _describe_new(material: Material, found: AllLogits) -> tuple[NewLabel, ...]:
    described = []
    for at in np.flatnonzero(material.anew):
        mine = (material.fresh.labels == at) & ~found.unjudged
        stored = material.stored.labels == at
        right = np.concatenate([found.fresh[mine].argmax(axis=1) == at, found.stored[stored].argmax(axis=1) == at])
        photos = int((material.fresh.labels == at).sum()) + int(stored.sum())
        clusters = len(np.unique(material.fresh.clusters[material.fresh.labels == at])) + int(stored.sum())
        recall = float(right.mean()) if len(right) else None
        described.append(NewLabel(material.labels[at], photos, clusters, recall))
    return tuple(described)


def _find_changed(
    parent: Parent, head: Head, labels: tuple[str, ...], recent: Floats
) -> tuple[tuple[int, str, str], ...]:
    """Return which photos get another label; where people wonder most, first: what the former model was sure of."""
    if not len(recent):
        return ()
    scores = parent.head.scores(recent)
    before, after = scores.argmax(axis=1), head.logits(recent).argmax(axis=1)
    order = np.argsort(-scores.max(axis=1), kind="stable").tolist()
    answers = [(at, parent.labels[before[at]], labels[after[at]]) for at in order]
    return tuple(answer for answer in answers if answer[1] != answer[2])


def _count_changes(changed: Sequence[tuple[int, str, str]]) -> tuple[Change, ...]:
    counts = Counter((before, after) for _, before, after in changed)
    return tuple(Change(*pair, photos) for pair, photos in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _note(material: Material, found: AllLogits, unseen: Mask) -> tuple[str, ...]:
    notes = []
    if material.is_pseudo:
        notes.append(
            "the model carries no embeddings of the photos that it was trained on: its old rows were kept, new labels "
            "were fitted against its own answers to recent photos, and whether old labels suffer cannot be known"
        )
    elif not unseen.any():
        notes.append("the network was trained on all stored photos: whether old labels suffer cannot be known")
    notes += [
        f"{label.label} has one photo, or photos of one moment only: how well it is recognised cannot be known"
        for label in _describe_new(material, found)
        if label.recall is None
    ]
    return tuple(notes)
