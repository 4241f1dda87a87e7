"""A new last layer from a model, what people said about photos, and the embeddings of both.

Start reading at `learn`. Old rows keep their weights but for what corrections change (`old_rows`), new labels get rows
of their own (`new_rows`), and the gate (`gate`) judges by answers of layers that were not fitted to the photo.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.metrics import expected_calibration_error
from dogid.learning.clusters import find_clusters
from dogid.learning.contradictions import (
    Contradiction,
    describe_lookalike,
    describe_same,
    find_lookalikes,
    find_same,
)
from dogid.learning.folds import FOLDS, deal_clusters
from dogid.learning.gate import Comparison, Gate, judge
from dogid.learning.logistic_regression import multiply
from dogid.learning.new_rows import (
    Background,
    NewPhotos,
    NewRows,
    find_thresholds,
    fit_new_rows,
    measure_background,
)
from dogid.learning.old_rows import OldPhotos, OldRows, fit_old_rows
from dogid.learning.photos import Check, Fresh, Indices, LearningError, Mask, Parent, ReviewedPhoto
from dogid.learning.standardisation import Floats, Matrix, Standardisation
from dogid.learning.temperature_scaling import fit_temperature, softmax
from dogid.model.head import Head
from dogid.model.training_embeddings import TrainingEmbeddings

_MOST_AXES = 512
"""Of the embeddings. More cost time and memory, and hold next to nothing of the variance; with 256, 1 % fewer photos of
a new label are recognised."""
_MOST_ROTATION = 4 << 20  # numbers of the rotation; wide embeddings get fewer axes
_FEWEST_BACKGROUND = 30
"""Photos to distinguish new labels from; with fewer, anything would be the new label."""
_MOST_ALIKE = 0.5  # of the stored photos that may contradict one label
_FEWEST_TO_CALIBRATE = 100  # photos judged; a temperature of fewer is chance


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
    notes: tuple[str, ...]
    """What cannot be known, and why."""


@dataclass(frozen=True, slots=True)
class _Material:
    """The photos, in one form."""

    labels: tuple[str, ...]
    """Of the new model: the parent's first."""
    anew: Mask
    """[labels], whose rows are fitted anew."""
    stored: TrainingEmbeddings
    """Without the photos that people relabelled; of a model without stored ones, recent photos with its answers."""
    is_pseudo: bool
    """Whether the stored photos are recent ones."""
    fresh: Fresh
    known: int
    relabelled: int


def learn(
    parent: Parent,
    reviewed: Sequence[ReviewedPhoto],
    recent: Floats,
    check: Check = lambda: None,
    *,
    replayed: int = 1000,
) -> Learned:
    """Return a new last layer.

    reviewed are the photos whose label people gave or confirmed, at most one of a content; recent [photos, width] the
    newest embeddings, whatever they show, of which so many as replayed are answered by both models. Raise LearningError
    where there is nothing to learn.
    """
    material = _gather(parent, reviewed, recent, parent.find_learned_labels())
    pairs = _find_pairs(material)
    material, out_of_stored = _leave_out_pairs(material, pairs)
    space = _find_space(material)
    check()
    stored_at, fresh_at = (
        space.apply_in_float32(material.stored.embeddings),
        space.apply_in_float32(material.fresh.embeddings),
    )
    fold_of_stored, fold_of_fresh = _deal_folds(material)
    old = _fit_old(parent, material, stored_at, fresh_at, fold_of_stored, fold_of_fresh, check)
    lookalikes = _find_lookalikes(material, stored_at, fresh_at, old.is_old & ~out_of_stored)
    out = out_of_stored | lookalikes.any(axis=1)
    found = _fit_new(material, old, stored_at, fresh_at, fold_of_stored, fold_of_fresh, ~out & old.is_old, check)
    temperature = _find_temperature(material, found, out)
    contradictions = (*pairs.described, *_describe_lookalikes(material, lookalikes))
    head = _build_head(parent, material, space, old, found, temperature)
    return _conclude(parent, material, head, old, found, temperature, contradictions, recent[:replayed], out)


def check_contradictions(
    parent: Parent, reviewed: Sequence[ReviewedPhoto], recent: Floats, check: Check = lambda: None
) -> tuple[Contradiction, ...]:
    """Return what contradicts itself, as `learn` would find it, without learning anything."""
    learned = parent.find_learned_labels()
    if parent.stored is not None:  # what was learned before may contradict, too
        said = {photo.sha256 for photo in reviewed}
        unsaid = np.array([name not in said for name in parent.stored.sha256], bool)
        parent = replace(parent, stored=select(parent.stored, unsaid))
    material = _gather(parent, reviewed, recent, learned)
    pairs = _find_pairs(material)
    material, out_of_stored = _leave_out_pairs(material, pairs)
    space = _find_space(material)
    check()
    stored_at, fresh_at = (
        space.apply_in_float32(material.stored.embeddings),
        space.apply_in_float32(material.fresh.embeddings),
    )
    is_old = ~material.anew[material.stored.labels]
    return (
        *pairs.described,
        *_describe_lookalikes(material, _find_lookalikes(material, stored_at, fresh_at, is_old & ~out_of_stored)),
    )


def _gather(parent: Parent, reviewed: Sequence[ReviewedPhoto], recent: Floats, learned: Mask) -> _Material:
    if not reviewed:
        raise LearningError("nobody has reviewed a photo yet; say what some of them show: dogid label FILE LABEL")
    labels = (*parent.labels, *sorted({photo.label for photo in reviewed} - set(parent.labels)))
    place = {label: at for at, label in enumerate(labels)}
    anew = np.concatenate([learned, np.ones(len(labels) - len(parent.labels), bool)])
    stored, is_pseudo = parent.stored, parent.stored is None or not len(parent.stored.labels)
    if stored is None or is_pseudo:
        stored = _answer_recent(parent, recent)
    held = {name: at for at, name in enumerate(stored.sha256)}
    known = [photo for photo in reviewed if photo.sha256 in held]
    same = {photo.sha256 for photo in known if stored.labels[held[photo.sha256]] == place[photo.label]}
    replaced = {photo.sha256 for photo in known} - same
    kept = np.array([name not in replaced for name in stored.sha256], bool)
    stored = select(stored, kept)
    fresh = [photo for photo in reviewed if photo.sha256 not in same]
    if not fresh:
        raise LearningError("the model has learned all reviewed photos already; review more of them")
    if int((~anew[stored.labels]).sum()) < _FEWEST_BACKGROUND:
        raise LearningError(
            f"there are {int((~anew[stored.labels]).sum())} photos with known answers to compare with, and "
            f"{_FEWEST_BACKGROUND} are needed: let the daemon classify more photos first"
        )
    embeddings = np.stack([photo.embedding for photo in fresh]).astype(np.float32)
    clusters = find_clusters(embeddings, [photo.folder for photo in fresh], [photo.taken_at for photo in fresh])
    of = np.array([place[photo.label] for photo in fresh], np.intp)
    # a burst with two labels is not one proof of both
    clusters = np.unique(clusters * len(labels) + of, return_inverse=True)[1].astype(np.intp)
    return _Material(labels, anew, stored, is_pseudo, Fresh(fresh, embeddings, of, clusters), len(same), len(replaced))


def _answer_recent(parent: Parent, recent: Floats) -> TrainingEmbeddings:
    """Return recent photos with the parent's own answers, where it carries no embeddings."""
    if not len(recent):
        width = parent.head.weights.shape[1]
        empty = np.zeros((0, width), np.float32)
        return TrainingEmbeddings(empty, np.zeros(0, np.int64), (), np.zeros(0, bool))
    answers = parent.head.logits(recent).argmax(axis=1).astype(np.int64)
    names = tuple(f"recent {at}" for at in range(len(recent)))
    return TrainingEmbeddings(recent, answers, names, np.zeros(len(recent), bool))


def select(photos: TrainingEmbeddings, kept: Mask) -> TrainingEmbeddings:
    """Return the photos of a mask [photos]."""
    if kept.all():
        return photos
    names = tuple(name for name, keep in zip(photos.sha256, kept, strict=True) if keep)
    return replace(
        photos,
        embeddings=photos.embeddings[kept],
        labels=photos.labels[kept],
        sha256=names,
        network_trained=photos.network_trained[kept],
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Near-duplicates with two labels."""

    stored: Mask
    fresh: Mask
    described: tuple[Contradiction, ...]


def _find_pairs(material: _Material) -> _Pairs:
    stored, fresh, labels = material.stored, material.fresh, material.labels
    of_stored, of_fresh = np.zeros(len(stored.labels), bool), np.zeros(len(fresh.labels), bool)
    described = []
    if not material.is_pseudo:
        for left, right in find_same(fresh.embeddings, stored.embeddings):
            if fresh.labels[left] != stored.labels[right] and not of_stored[right]:
                of_stored[right] = True
                own, other = labels[stored.labels[right]], labels[fresh.labels[left]]
                described.append(describe_same(stored.sha256[right], None, own, other, fresh.photos[left].name))
    for left, right in find_same(fresh.embeddings, fresh.embeddings):
        if left < right and fresh.labels[left] != fresh.labels[right]:
            for one, twin in ((left, right), (right, left)):
                if not of_fresh[one]:
                    of_fresh[one] = True
                    photo, other = fresh.photos[one], fresh.photos[twin]
                    described.append(describe_same(photo.sha256, photo.name, photo.label, other.label, other.name))
    return _Pairs(of_stored, of_fresh, tuple(described))


def _leave_out_pairs(material: _Material, pairs: _Pairs) -> tuple[_Material, Mask]:
    """Return the material without reviewed photos that contradict each other, and which stored ones to leave out.

    Labels that have no photo left keep their rows; new ones are gone.
    """
    fresh = material.fresh.select(~pairs.fresh)
    if not len(fresh.labels):
        raise LearningError("all reviewed photos contradict each other: dogid learn --check lists them")
    used = np.zeros(len(material.labels), bool)
    used[fresh.labels] = used[material.stored.labels] = True
    labels = [label for at, label in enumerate(material.labels) if used[at] or not material.anew[at]]
    if len(labels) == len(material.labels):
        return replace(material, fresh=fresh), pairs.stored
    moved = np.cumsum([label in labels for label in material.labels]) - 1
    kept = np.array([label in labels for label in material.labels])
    return (
        replace(
            material,
            labels=tuple(labels),
            anew=material.anew[kept],
            fresh=replace(fresh, labels=moved[fresh.labels]),
            stored=replace(material.stored, labels=moved[material.stored.labels]),
        ),
        pairs.stored,
    )


def _find_space(material: _Material) -> Standardisation:
    parts = [material.stored.embeddings, material.fresh.embeddings]
    return Standardisation.fit_principal(parts, max(1, min(_MOST_AXES, _MOST_ROTATION // parts[0].shape[1])))


def _deal_folds(material: _Material) -> tuple[Indices, Indices]:
    stored = material.stored
    return (
        deal_clusters(stored.labels.astype(np.intp), np.arange(len(stored.labels), dtype=np.intp)),
        deal_clusters(material.fresh.labels, material.fresh.clusters),
    )


@dataclass(frozen=True, slots=True)
class _Old:
    """The old rows' logits, by layers that were not fitted to the photo."""

    places: Indices
    """[old labels], their places in the new model's labels."""
    is_old: Mask
    """[stored photos], whether their label is an old one."""
    stored_before: Matrix
    """[stored photos, old labels]."""
    stored_after: Matrix
    fresh_before: Matrix
    """[reviewed photos, old labels]: the parent's own."""
    fresh_after: Matrix
    change: tuple[Matrix, Matrix]


def _fit_old(
    parent: Parent, material: _Material, stored_at: Floats, fresh_at: Floats, fold_of_stored: Indices,
    fold_of_fresh: Indices, check: Check,
) -> _Old:  # fmt: skip
    places = np.flatnonzero(~material.anew)
    stored, fresh = material.stored, material.fresh
    is_old, fresh_is_old = ~material.anew[stored.labels], ~material.anew[fresh.labels]
    of_stored = parent.head.logits(stored.embeddings)[:, places].astype(np.float64)
    of_fresh = parent.head.logits(fresh.embeddings)[:, places].astype(np.float64)
    photos = OldPhotos(
        coordinates=np.concatenate([stored_at[is_old], fresh_at[fresh_is_old]]),
        labels=np.searchsorted(places, np.concatenate([stored.labels[is_old], fresh.labels[fresh_is_old]])),
        weights=np.concatenate([np.ones(int(is_old.sum())), fresh.weights[fresh_is_old]]),
        is_correction=np.arange(int(is_old.sum()) + int(fresh_is_old.sum())) >= int(is_old.sum()),
        folds=np.concatenate([fold_of_stored[is_old], fold_of_fresh[fresh_is_old]]),
        count=len(places),
    )
    if material.is_pseudo and not fresh_is_old.any():
        zeros = np.zeros((stored_at.shape[1], len(places))), np.zeros(len(places))
        return _Old(places, is_old, of_stored, of_stored, of_fresh, of_fresh, zeros)
    rows = fit_old_rows(photos, np.concatenate([of_stored[is_old], of_fresh[fresh_is_old]]), FOLDS, check)
    stored_before, stored_after = of_stored.copy(), of_stored.copy()
    if material.is_pseudo:  # the parent had not seen them: its own answers are honest, and so is the difference
        stored_after[is_old] += rows.after[: int(is_old.sum())] - rows.before[: int(is_old.sum())]
    else:
        stored_before[is_old], stored_after[is_old] = rows.before[: int(is_old.sum())], rows.after[: int(is_old.sum())]
    return _Old(places, is_old, stored_before, stored_after, of_fresh, _change(of_fresh, fresh_at, fold_of_fresh, rows),
                rows.change)  # fmt: skip


def _change(logits: Matrix, coordinates: Floats, folds: Indices, rows: OldRows) -> Matrix:
    """Return the parent's logits [photos, old labels], changed by what was learned outside of each photo's fold."""
    changed = logits.copy()
    for fold, (weights, biases) in enumerate(rows.changes_of_folds):
        inside = folds == fold
        changed[inside] += multiply(coordinates[inside], weights) + biases
    return changed


def _find_lookalikes(material: _Material, stored_at: Floats, fresh_at: Floats, judged: Mask) -> NDArray[np.bool_]:
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
        alike = find_lookalikes(stored_at[judged], background, own)
        # a label that most photos look like says nothing about single ones
        found[judged, column] = alike & (alike.mean() <= _MOST_ALIKE)
    return found


def _compact(labels: Indices) -> tuple[Indices, Matrix]:
    occurring, places = np.unique(labels, return_inverse=True)
    return places.astype(np.intp), np.zeros((len(labels), len(occurring)))


def _describe_lookalikes(material: _Material, lookalikes: NDArray[np.bool_]) -> list[Contradiction]:
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


@dataclass(frozen=True, slots=True)
class _New:
    """All logits, by rows that were not fitted to the photo, and the new rows."""

    rows: NewRows | None
    """None without labels that are fitted anew."""
    shares: Matrix
    """[old labels], what the new rows are relative to."""
    stored: Matrix
    """[stored photos, labels]."""
    fresh: Matrix
    """[reviewed photos, labels]."""
    unjudged: Mask
    """[reviewed photos], whose label has photos in one fold only, so that no row was fitted without them."""


def _fit_new(
    material: _Material, old: _Old, stored_at: Floats, fresh_at: Floats, fold_of_stored: Indices,
    fold_of_fresh: Indices, used: Mask, check: Check,
) -> _New:  # fmt: skip
    """Return the new rows and all logits; used [stored photos] are the background."""
    anew = np.flatnonzero(material.anew)
    shape = len(material.labels)
    of_stored, of_fresh = np.full((len(stored_at), shape), -np.inf), np.full((len(fresh_at), shape), -np.inf)
    of_stored[:, old.places], of_fresh[:, old.places] = old.stored_after, old.fresh_after
    unjudged = np.zeros(len(fresh_at), bool)
    if not len(anew):
        return _New(None, np.zeros(len(old.places)), of_stored, of_fresh, unjudged)
    background = measure_background(
        stored_at[used],
        np.searchsorted(old.places, material.stored.labels[used]).astype(np.intp),
        old.stored_after[used],
    )
    own_stored, own_fresh = material.anew[material.stored.labels], material.anew[material.fresh.labels]
    photos = NewPhotos(
        coordinates=np.concatenate([stored_at[own_stored], fresh_at[own_fresh]]),
        labels=np.searchsorted(
            anew, np.concatenate([material.stored.labels[own_stored], material.fresh.labels[own_fresh]])
        ).astype(np.intp),
        logits=np.concatenate([old.stored_after[own_stored], old.fresh_after[own_fresh]]),
        weights=np.concatenate([np.ones(int(own_stored.sum())), material.fresh.weights[own_fresh]]),
        count=len(anew),
    )
    folds = np.concatenate([fold_of_stored[own_stored], fold_of_fresh[own_fresh]])
    by_fold = []
    judged = np.ones(len(folds), bool)
    for fold in range(FOLDS):
        inside = folds == fold
        missing = np.setdiff1d(photos.labels, photos.labels[~inside])
        judged[inside & np.isin(photos.labels, missing)] = False
        kept = ~inside | np.isin(photos.labels, missing)
        by_fold.append(fit_new_rows(_without(background, fold_of_stored[used] != fold), photos.select(kept), check))
    rows = fit_new_rows(background, photos, check)
    reference_of_stored, reference_of_fresh = old.stored_after @ background.shares, old.fresh_after @ background.shares
    raw_stored, raw_fresh = np.empty((len(stored_at), len(anew))), np.empty((len(fresh_at), len(anew)))
    for fold, fitted in enumerate(by_fold):
        inside, mine = fold_of_stored == fold, fold_of_fresh == fold
        raw_stored[inside] = fitted.logits(stored_at[inside], reference_of_stored[inside])
        raw_fresh[mine] = fitted.logits(fresh_at[mine], reference_of_fresh[mine])
    margins = raw_stored - old.stored_after.max(axis=1, keepdims=True)
    own_logits = np.concatenate([raw_stored[own_stored], raw_fresh[own_fresh]])
    best_old = photos.logits.max(axis=1)
    own = np.where(judged, own_logits[np.arange(len(folds)), photos.labels] - best_old, np.nan)
    right = old.places[old.stored_after.argmax(axis=1)] == material.stored.labels

    def thresholds(stored: Mask, mine: Mask) -> Matrix:
        return find_thresholds(margins[stored], right[stored], own[mine], photos.labels[mine], len(anew))

    for fold in range(FOLDS):
        # without the fold: a bias that its photos had set would judge them
        lowered = thresholds(used & (fold_of_stored != fold), folds != fold)
        inside, mine = fold_of_stored == fold, fold_of_fresh == fold
        of_stored[np.ix_(inside, anew)] = raw_stored[inside] - lowered
        of_fresh[np.ix_(mine, anew)] = raw_fresh[mine] - lowered
    unjudged[own_fresh] = ~judged[int(own_stored.sum()) :]
    return _New(
        rows.lowered(thresholds(used, np.ones(len(folds), bool))), background.shares, of_stored, of_fresh, unjudged
    )


def _without(background: Background, kept: Mask) -> Background:
    return replace(
        background,
        coordinates=background.coordinates[kept],
        labels=background.labels[kept],
        logits=background.logits[kept],
    )


def _find_temperature(material: _Material, found: _New, out: Mask) -> float:
    """Return the temperature of photos that were not learned from; 1 with too few, or answers in place of labels."""
    if material.is_pseudo:
        return 1.0
    logits = np.concatenate([found.stored[~out], found.fresh[~found.unjudged]])
    labels = np.concatenate([material.stored.labels[~out], material.fresh.labels[~found.unjudged]])
    return fit_temperature(logits, labels) if len(labels) >= _FEWEST_TO_CALIBRATE else 1.0


def _build_head(
    parent: Parent, material: _Material, space: Standardisation, old: _Old, found: _New, temperature: float
) -> Head:
    width = parent.head.weights.shape[1]
    weights, biases = np.zeros((len(material.labels), width)), np.zeros(len(material.labels))
    change, change_biases = space.fold(*old.change)
    weights[old.places] = parent.head.weights[old.places] + change.T
    biases[old.places] = parent.head.bias[old.places] + change_biases
    if found.rows is not None:
        anew = np.flatnonzero(material.anew)
        rows, row_biases = space.fold(found.rows.weights, found.rows.biases)
        weights[anew] = found.shares @ weights[old.places] + rows.T
        biases[anew] = found.shares @ biases[old.places] + row_biases
    return Head((weights / temperature).astype(np.float32), (biases / temperature).astype(np.float32))


def _conclude(
    parent: Parent, material: _Material, head: Head, old: _Old, found: _New, temperature: float,
    contradictions: tuple[Contradiction, ...], recent: Floats, out: Mask,
) -> Learned:  # fmt: skip
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
        if int(unseen.sum()) >= _FEWEST_TO_CALIBRATE
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
        notes=_note(material, found, unseen),
    )


def _places(old: _Old, labels: NDArray[np.integer]) -> Indices:
    return np.searchsorted(old.places, labels).astype(np.intp)


def _join(material: _Material) -> TrainingEmbeddings:
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


def _describe_new(material: _Material, found: _New) -> tuple[NewLabel, ...]:
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


def _note(material: _Material, found: _New, unseen: Mask) -> tuple[str, ...]:
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
