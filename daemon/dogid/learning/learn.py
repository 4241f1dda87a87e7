"""A new last layer from a model, what people said about photos, and the embeddings of both.

Start reading at `learn`. Old rows keep their weights but for what corrections change (`old_rows`), new labels get rows
of their own (`new_rows`), and the gate (`gate`) judges by answers of layers that were not fitted to the photo.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dogid.learning.contradictions import (
    Contradiction,
    describe_lookalike,
    find_lookalikes,
)
from dogid.learning.cross_validation import (
    AllLogits,
    OldLogits,
    answer_as_trained,
    deal_folds,
    fit_before,
    fit_new,
    fit_old,
)
from dogid.learning.evidence import Fitted, find_disagreements
from dogid.learning.learned import FEWEST_TO_CALIBRATE, Learned, conclude, propose_label_thresholds
from dogid.learning.material import Material, Pairs, find_pairs, gather_material, leave_out_pairs, select
from dogid.learning.new_rows import (
    measure_background,
)
from dogid.learning.photos import Check, Indices, Mask, Parent, Recent, ReviewedPhoto
from dogid.learning.precise_thresholds import DEFAULT_PRECISION
from dogid.learning.standardisation import Floats, Matrix, Standardisation
from dogid.learning.temperature_scaling import fit_temperature
from dogid.model.head import Head
from dogid.system.malloc import trim_malloc

_MOST_AXES = 512
"""Of the embeddings. More cost time and memory, and hold next to nothing of the variance; with 256, 1 % fewer photos of
a new label are recognised."""
_MOST_ROTATION = 4 << 20  # numbers of the rotation; wide embeddings get fewer axes
_MOST_ALIKE = 0.05
"""Share of a label's photos that may contradict a new one. Of more, the labels resemble each other: left out, those
photos would hide from the gate what is lost. Lower: an `other` with many photos of the new label keeps it small."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is learned from, without photos that contradict each other, in the coordinates of the layers."""

    material: Material
    pairs: Pairs
    against: NDArray[np.bool_]
    """[stored photos, labels], which labels speak against a photo's own."""
    space: Standardisation
    stored_at: Floats
    """[stored photos, dimensions]."""
    fresh_at: Floats
    """[reviewed photos, dimensions]."""


def learn(
    parent: Parent,
    reviewed: Sequence[ReviewedPhoto],
    recent: Recent,
    check: Check = lambda: None,
    *,
    replayed: int = 1000,
    precision: float = DEFAULT_PRECISION,
) -> Learned:
    """Return a new last layer.

    reviewed are the photos whose label people gave or confirmed, at most one of a content; recent the newest
    embeddings, whatever they show, of which so many as replayed are answered by both models. precision (0..1) is
    the share of sure answers that shall be right, for the thresholds. Raise LearningError where there is nothing to
    learn.
    """
    learned_labels = parent.find_learned_labels()
    prepared = _prepare(gather_material(parent, reviewed, _find_background(parent, recent), learned_labels), check)
    material, pairs, against = prepared.material, prepared.pairs, prepared.against
    space, stored_at, fresh_at = prepared.space, prepared.stored_at, prepared.fresh_at
    fold_of_stored, fold_of_fresh = deal_folds(material)
    old = fit_old(parent, material, stored_at, fresh_at, fold_of_stored, fold_of_fresh, check)
    lookalikes = _find_lookalikes(
        material, stored_at, fresh_at, old.is_old & ~against.any(axis=1) & ~material.confirmed
    )
    against[:, material.anew] |= lookalikes
    used = ~against.any(axis=1) & old.is_old
    found = fit_new(material, old, stored_at, fresh_at, fold_of_stored, fold_of_fresh, used, check)
    before = fit_before(parent, material, old, stored_at, fold_of_stored, check)
    as_trained = answer_as_trained(parent, material, stored_at, fold_of_stored, check)
    fitted = Fitted(old, before, found, against, fold_of_stored, fold_of_fresh, as_trained)
    temperature = _find_temperature(material, fitted)
    contradictions = (*pairs.described, *_describe_lookalikes(material, lookalikes))
    head = build_head(parent, material, space, old, found, temperature)
    newest = _read(recent)[:replayed]
    disagreements = find_disagreements(parent, material, fitted, head, newest, space.apply_in_float32(newest))
    learned = conclude(parent, material, head, fitted, temperature, contradictions, reviewed, newest, disagreements)
    return replace(learned, thresholds=propose_label_thresholds(material, fitted, temperature, precision))


def check_contradictions(
    parent: Parent, reviewed: Sequence[ReviewedPhoto], recent: Recent, check: Check = lambda: None
) -> tuple[Contradiction, ...]:
    """Return what contradicts itself, as `learn` would find it, without learning anything."""
    learned = parent.find_learned_labels()
    if parent.stored is not None and parent.has_originals:  # what was learned before may contradict, too
        said = {photo.sha256 for photo in reviewed}
        unsaid = np.array([name not in said & parent.learned_from for name in parent.stored.sha256], bool)
        parent = replace(parent, stored=select(parent.stored, unsaid))
    prepared = _prepare(gather_material(parent, reviewed, _find_background(parent, recent), learned), check)
    material, against = prepared.material, prepared.against
    judged = ~material.anew[material.stored.labels] & ~against.any(axis=1) & ~material.confirmed
    lookalikes = _find_lookalikes(material, prepared.stored_at, prepared.fresh_at, judged)
    return *prepared.pairs.described, *_describe_lookalikes(material, lookalikes)


def _read(recent: Recent) -> Floats:
    return recent() if callable(recent) else recent


def _find_background(parent: Parent, recent: Recent) -> Floats:
    """Return the recent photos that stand for those that the parent was trained on; none where its file has these."""
    return np.zeros((0, parent.head.weights.shape[1]), np.float32) if parent.has_originals else _read(recent)


def _prepare(material: Material, check: Check) -> _Prepared:
    pairs = find_pairs(material)
    material, against = leave_out_pairs(material, pairs)
    space = _find_space(material)
    check()
    stored_at = space.apply_in_float32(material.stored.embeddings)
    fresh_at = space.apply_in_float32(material.fresh.embeddings)
    return _Prepared(material, pairs, against, space, stored_at, fresh_at)


def _find_space(material: Material) -> Standardisation:
    parts = [material.stored.embeddings, material.fresh.embeddings]
    trim_malloc()  # next is the step that needs the most
    return Standardisation.fit_principal(parts, max(1, min(_MOST_AXES, _MOST_ROTATION // parts[0].shape[1])))


def _find_lookalikes(material: Material, stored_at: Floats, fresh_at: Floats, judged: Mask) -> NDArray[np.bool_]:
    """Return which stored photos look like which label that is fitted anew, [stored photos, those labels]."""
    anew = np.flatnonzero(material.anew)
    found = np.zeros((len(stored_at), len(anew)), bool)
    if material.is_pseudo or not len(anew) or not judged.any():
        return found
    background = measure_background(
        stored_at[judged], *_compact(material.stored.labels[judged].astype(np.intp))
    ).covariance
    for column, label in enumerate(anew):
        own = np.concatenate([stored_at[material.stored.labels == label], fresh_at[material.fresh.labels == label]])
        alike = np.zeros(len(stored_at), bool)
        alike[judged] = find_lookalikes(stored_at[judged], background, own)
        found[:, column] = _leave_resembling(material.stored.labels, alike)
    return found


def _leave_resembling(labels: NDArray[np.integer], alike: Mask) -> Mask:
    """Return alike [photos] without those of labels that resemble the new one as a whole; labels are [photos]."""
    shares = np.bincount(labels, weights=alike) / np.maximum(np.bincount(labels), 1)
    return np.asarray(alike & (shares[labels] <= _MOST_ALIKE))


def _compact(labels: Indices) -> tuple[Indices, Matrix]:
    occurring, places = np.unique(labels, return_inverse=True)
    return places.astype(np.intp), np.zeros((len(labels), len(occurring)))


def _describe_lookalikes(material: Material, lookalikes: NDArray[np.bool_]) -> list[Contradiction]:
    anew = np.flatnonzero(material.anew)
    own = np.bincount(material.stored.labels, minlength=len(material.labels)) + np.bincount(
        material.fresh.labels, minlength=len(material.labels)
    )
    return [
        describe_lookalike(
            material.stored.sha256[photo],
            material.labels[material.stored.labels[photo]],
            material.labels[anew[column]],
            int(own[anew[column]]),
        )
        for photo, column in np.argwhere(lookalikes)
    ]


def _find_temperature(material: Material, fitted: Fitted) -> float:
    """Return the temperature of photos that were not learned from; 1 with too few, or answers in place of labels."""
    if material.is_pseudo:
        return 1.0
    found, out = fitted.found, fitted.out
    logits = np.concatenate([found.stored[~out], found.fresh[~found.unjudged]])
    labels = np.concatenate([material.stored.labels[~out], material.fresh.labels[~found.unjudged]])
    return fit_temperature(logits, labels) if len(labels) >= FEWEST_TO_CALIBRATE else 1.0


def build_head(
    parent: Parent, material: Material, space: Standardisation, old: OldLogits, found: AllLogits, temperature: float
) -> Head:
    """Return the layer that is written; old and found were fitted on the coordinates of space."""
    width = parent.head.weights.shape[1]
    weights, biases = np.zeros((len(material.labels), width)), np.zeros(len(material.labels))
    change, change_biases = space.fold(*old.change)
    of_parent = [parent.labels.index(material.labels[at]) for at in old.places]  # labels before them may be gone
    weights[old.places] = parent.head.weights[of_parent] + change.T
    biases[old.places] = parent.head.bias[of_parent] + change_biases
    if found.rows is not None:
        anew = np.flatnonzero(material.anew)
        rows, row_biases = space.fold(found.rows.weights, found.rows.biases)
        weights[anew] = found.shares @ weights[old.places] + rows.T
        biases[anew] = found.shares @ biases[old.places] + row_biases
    return Head((weights / temperature).astype(np.float32), (biases / temperature).astype(np.float32))
