"""What came of learning: the new layer, how good it is, and what cannot be known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dogid.evaluation.metrics import expected_calibration_error
from dogid.learning.changed_answers import ChangedAnswer, find_changed_answers
from dogid.learning.comparison import Comparison
from dogid.learning.contradictions import Contradiction
from dogid.learning.cross_validation import AllLogits
from dogid.learning.evidence import Fitted, find_unseen, gather_evidence
from dogid.learning.folds import FOLDS
from dogid.learning.gate import FEWEST_KNOWN, Evidence, Gate, judge
from dogid.learning.material import Material, select
from dogid.learning.photos import Parent, ReviewedPhoto
from dogid.learning.precise_thresholds import PreciseThreshold, propose_thresholds
from dogid.learning.standardisation import Floats
from dogid.learning.temperature_scaling import fit_temperature, softmax
from dogid.model.head import Head
from dogid.model.training_embeddings import TrainingEmbeddings, limit_photos

_LOW_RECALL = 0.5
"""Of a new label, below which people are warned. Higher warns of labels that are useful all the same."""
_MOST_NAMED = 10  # labels that a note lists
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
    confirmed: int
    """Stored photos whose label people said is right."""
    dropped: int
    """Stored photos that people said are to be left out."""
    withdrawn: int
    """Stored photos that people had reviewed, and whose review they took back."""


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
    learned_labels: tuple[str, ...]
    """Labels whose rows were learned from reviews alone."""
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
    changed: tuple[ChangedAnswer, ...]
    """What may be worse, first: reviewed photos whose new answer is not what a person said, those that the former model
    answered rightly before the others; then recent ones that became `other`, then the rest, the surest of the former
    first."""
    thresholds: tuple[PreciseThreshold, ...]
    """By which the answers of each label are as precise as was asked for."""
    notes: tuple[str, ...]
    """What cannot be known, and why."""
    kept: tuple[str, ...] = ()
    """SHA-256, in hex, of the stored photos that people said are labelled rightly."""
    dropped: tuple[str, ...] = ()
    """Of those that people wanted to be left out."""


def conclude(
    parent: Parent, material: Material, head: Head, fitted: Fitted, temperature: float,
    contradictions: tuple[Contradiction, ...], reviewed: Sequence[ReviewedPhoto], recent: Floats,
    disagreements: Sequence[str],
) -> Learned:  # fmt: skip
    """Return what came of learning.

    recent [photos, width] and the reviewed photos are what both models answer; disagreements say where a model does not
    answer as fitted.
    """
    fresh, labels, out = material.fresh, material.labels, fitted.out
    evidence = gather_evidence(parent, material, fitted, head)
    gate = judge(evidence, labels, _find_lost(parent, material), disagreements)
    calibration = _measure_calibration(material, fitted)
    changed = find_changed_answers(parent, head, labels, reviewed, recent)
    left_out = int(out.sum()) + len({one.sha256 for one in contradictions if one.name is not None})
    joined = _join(material)
    embeddings = limit_photos(joined)
    return Learned(
        head=head,
        labels=labels,
        temperature=temperature,
        embeddings=embeddings,
        learned_from=_list_learned(parent, material, embeddings),
        learned_labels=tuple(labels[at] for at in np.flatnonzero(material.anew)),
        counts=Counts(
            stored=int((~out & ~material.pseudo).sum()),
            reviewed=len(fresh.photos),
            clusters=len(np.unique(fresh.clusters)),
            known=material.known,
            left_out=left_out,
            relabelled=material.relabelled,
            confirmed=int(material.confirmed.sum()),
            dropped=len(material.dropped.labels),
            withdrawn=material.withdrawn,
        ),
        new_labels=_describe_new(material, fitted.found),
        contradictions=contradictions,
        gate=gate,
        calibration_before=calibration[0],
        calibration_after=calibration[1],
        recent=len(recent),
        changes=_count_changes(changed),
        changed=changed,
        thresholds=(),
        kept=tuple(sorted(np.array(material.stored.sha256, object)[material.confirmed])),
        dropped=tuple(sorted(material.dropped.sha256)),
        notes=(*_note(parent, material, fitted, evidence), *_note_left_out(joined, embeddings)),
    )


def _find_lost(parent: Parent, material: Material) -> list[str]:
    """Return the parent's labels that are gone though people took back or changed nothing of theirs."""
    renamed = {parent.labels[at] for at in np.flatnonzero(parent.find_learned_labels())}
    return sorted(set(parent.labels) - set(material.labels) - renamed)


def _list_learned(parent: Parent, material: Material, carried: TrainingEmbeddings) -> tuple[str, ...]:
    held = set(carried.sha256)
    return tuple(sorted({*(parent.learned_from & held), *(photo.sha256 for photo in material.fresh.photos)}))


def _measure_calibration(material: Material, fitted: Fitted) -> tuple[float | None, float | None]:
    """Return the expected calibration error before and after; each fold by the temperature of the others."""
    unseen = find_unseen(material, fitted) & ~fitted.out
    if int(unseen.sum()) < FEWEST_TO_CALIBRATE:
        return None, None
    labels, folds = material.stored.labels[unseen], fitted.fold_of_stored[unseen]
    logits = fitted.found.stored[unseen].copy()
    for fold in range(FOLDS):
        inside = folds == fold
        logits[inside] /= fit_temperature(logits[~inside], labels[~inside]) if not material.is_pseudo else 1.0
    before = expected_calibration_error(softmax(fitted.before.stored[unseen]), labels)
    return before, expected_calibration_error(softmax(logits), labels)


def propose_label_thresholds(
    material: Material, fitted: Fitted, temperature: float, precision: float
) -> tuple[PreciseThreshold, ...]:
    """Return thresholds by the answers to photos that neither the network nor the layer had learned from."""
    found, stored, fresh = fitted.found, material.stored, material.fresh
    unseen, judged = find_unseen(material, fitted) & ~fitted.out, ~found.unjudged & ~fresh.network_trained
    scores = softmax(np.concatenate([found.stored[unseen], found.fresh[judged]]) / temperature)
    truth = np.concatenate([stored.labels[unseen], fresh.labels[judged]])
    return propose_thresholds(scores, truth, material.labels, precision)


def _join(material: Material) -> TrainingEmbeddings:
    """Return what the new model's file carries: stored photos, with new labels where people gave them, and reviewed.

    Those that people want to be left out stay in it: what people said may be taken back.
    """
    stored, fresh, dropped = select(material.stored, ~material.pseudo), material.fresh, material.dropped
    return replace(
        stored,
        embeddings=np.concatenate([stored.embeddings, dropped.embeddings, fresh.embeddings]),
        labels=np.concatenate([stored.labels, dropped.labels, fresh.labels]),
        sha256=(*stored.sha256, *dropped.sha256, *(photo.sha256 for photo in fresh.photos)),
        network_trained=np.concatenate([stored.network_trained, dropped.network_trained, fresh.network_trained]),
    )


def _note_left_out(known: TrainingEmbeddings, carried: TrainingEmbeddings) -> list[str]:
    left_out = len(known.labels) - len(carried.labels)
    if not left_out:
        return []
    return [
        f"the model carries {len(carried.labels):,} of {len(known.labels):,} photos, as many as a file may: later "
        f"learning goes without the {left_out:,} others"
    ]


def _describe_new(material: Material, found: AllLogits) -> tuple[NewLabel, ...]:
    described = []
    stored, fresh = material.stored, material.fresh
    labels = np.concatenate([stored.labels, fresh.labels])
    clusters = np.concatenate([material.stored_clusters, fresh.clusters])
    right = np.concatenate([found.stored.argmax(axis=1), found.fresh.argmax(axis=1)]) == labels
    judged = ~np.concatenate([found.unjudged_stored, found.unjudged])
    for at in np.flatnonzero(material.anew):
        mine = labels == at
        known = Comparison(right[mine & judged], right[mine & judged], clusters[mine & judged], labels[mine & judged])
        recall = known.share_right()[1] if len(known.labels) else None
        described.append(NewLabel(material.labels[at], int(mine.sum()), len(np.unique(clusters[mine])), recall))
    return tuple(described)


def _count_changes(changed: Sequence[ChangedAnswer]) -> tuple[Change, ...]:
    counts = Counter((one.before, one.after) for one in changed if one.place is not None)
    return tuple(Change(*pair, photos) for pair, photos in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _note(parent: Parent, material: Material, fitted: Fitted, evidence: Evidence) -> tuple[str, ...]:
    notes = []
    if material.is_pseudo:
        notes.append(
            "the model carries no embeddings of the photos that it was trained on: its old rows were kept, new labels "
            "were fitted against its own answers to recent photos, and whether old labels suffer cannot be known but "
            "by confirmed photos"
        )
    elif not len(evidence.unseen.labels):
        notes.append("the network was trained on all stored photos: whether old labels suffer cannot be known")
    else:
        counts = np.bincount(evidence.unseen.labels, minlength=len(material.labels))
        rare = [
            label
            for label, count in zip(material.labels, counts, strict=True)
            if count < FEWEST_KNOWN and label in parent.labels
        ]
        if rare:
            others = f" and {len(rare) - _MOST_NAMED} more" if len(rare) > _MOST_NAMED else ""
            notes.append(
                f"there are fewer than {FEWEST_KNOWN} unseen photos of some labels, so whether they suffer cannot be "
                f"known: {', '.join(rare[:_MOST_NAMED])}{others}"
            )
    for label in _describe_new(material, fitted.found):
        if label.recall is None:
            notes.append(
                f"{label.label} has one photo, or photos of one moment only: how well it is recognised cannot be known"
            )
        elif label.recall < _LOW_RECALL:
            notes.append(f"only {label.recall:.0%} of {label.label} would be recognised: review more photos of it")
    return tuple(notes)
