"""Answers of layers that were not fitted to the photo, and the rows fitted to all: what is judged, and what is used."""

from dataclasses import dataclass, replace

import numpy as np

from dogid.learning.folds import FOLDS, deal_clusters
from dogid.learning.logistic_regression import multiply
from dogid.learning.material import Material, select
from dogid.learning.new_rows import (
    Background,
    NewPhotos,
    NewRows,
    find_thresholds,
    fit_new_rows,
    measure_background,
)
from dogid.learning.old_rows import Layer, OldPhotos, OldRows, fit_old_rows
from dogid.learning.photos import Check, Indices, Mask, Parent
from dogid.learning.standardisation import Floats, Matrix


def deal_folds(material: Material) -> tuple[Indices, Indices]:
    """Return the folds of stored and of reviewed photos, whole clusters each."""
    stored, fresh = material.stored.labels.astype(np.intp), material.fresh.labels
    folds = deal_clusters(
        np.concatenate([stored, fresh]), np.concatenate([material.stored_clusters, material.fresh.clusters])
    )
    return folds[: len(stored)], folds[len(stored) :]


@dataclass(frozen=True, slots=True)
class OldLogits:
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
    change: Layer
    layers: tuple[tuple[Layer, Layer], ...]
    """Of each fold, on coordinates, without corrections and with them; none where the parent's own answers serve."""


def fit_old(
    parent: Parent, material: Material, stored_at: Floats, fresh_at: Floats, fold_of_stored: Indices,
    fold_of_fresh: Indices, check: Check,
) -> OldLogits:  # fmt: skip
    """Return the old rows' logits and their change.

    stored_at and fresh_at are the coordinates of stored and of reviewed photos [photos, dimensions], fold_of_stored and
    fold_of_fresh their folds [photos].
    """
    places = np.flatnonzero(~material.anew)
    stored, fresh = material.stored, material.fresh
    is_old, fresh_is_old = ~material.anew[stored.labels], ~material.anew[fresh.labels]
    of_parent = [parent.labels.index(material.labels[at]) for at in places]
    of_stored = parent.head.logits(stored.embeddings)[:, of_parent].astype(np.float64)
    of_fresh = parent.head.logits(fresh.embeddings)[:, of_parent].astype(np.float64)
    photos = OldPhotos(
        coordinates=np.concatenate([stored_at[is_old], fresh_at[fresh_is_old]]),
        labels=np.searchsorted(places, np.concatenate([stored.labels[is_old], fresh.labels[fresh_is_old]])),
        weights=np.concatenate([material.stored_weights[is_old], fresh.weights[fresh_is_old]]),
        is_correction=np.arange(int(is_old.sum()) + int(fresh_is_old.sum())) >= int(is_old.sum()),
        folds=np.concatenate([fold_of_stored[is_old], fold_of_fresh[fresh_is_old]]),
        count=len(places),
    )
    if material.is_pseudo and not fresh_is_old.any():
        zeros = np.zeros((stored_at.shape[1], len(places))), np.zeros(len(places))
        return OldLogits(places, is_old, of_stored, of_stored, of_fresh, of_fresh, zeros, ())
    rows = fit_old_rows(photos, np.concatenate([of_stored[is_old], of_fresh[fresh_is_old]]), FOLDS, check)
    stored_before, stored_after = of_stored.copy(), of_stored.copy()
    if material.is_pseudo:  # the parent had not seen them: its own answers are honest, and so is the difference
        stored_after[is_old] += rows.after[: int(is_old.sum())] - rows.before[: int(is_old.sum())]
    else:
        stored_before[is_old], stored_after[is_old] = rows.before[: int(is_old.sum())], rows.after[: int(is_old.sum())]
        of_learned = _change(of_stored, stored_at, fold_of_stored, rows)
        stored_after[~is_old] = of_learned[~is_old]
    changed = _change(of_fresh, fresh_at, fold_of_fresh, rows)
    layers = tuple(
        (before, (before[0] + change[0], before[1] + change[1]))
        for before, change in zip(rows.befores_of_folds, rows.changes_of_folds, strict=True)
    )
    return OldLogits(
        places, is_old, stored_before, stored_after, of_fresh, changed, rows.change,
        () if material.is_pseudo else layers,
    )  # fmt: skip


def _change(logits: Matrix, coordinates: Floats, folds: Indices, rows: OldRows) -> Matrix:
    """Return the parent's logits [photos, old labels], changed by what was learned outside of each photo's fold."""
    changed = logits.copy()
    for fold, (weights, biases) in enumerate(rows.changes_of_folds):
        inside = folds == fold
        changed[inside] += multiply(coordinates[inside], weights) + biases
    return changed


@dataclass(frozen=True, slots=True)
class AllLogits:
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
    unjudged_stored: Mask
    """[stored photos], the same."""
    rows_of_folds: tuple[NewRows, ...]
    """Without each fold; none without labels that are fitted anew."""
    anew: Indices
    """[new rows], the labels' places."""


def fit_new(
    material: Material, old: OldLogits, stored_at: Floats, fresh_at: Floats, fold_of_stored: Indices,
    fold_of_fresh: Indices, used: Mask, check: Check,
) -> AllLogits:  # fmt: skip
    """Return the new rows and all logits; used [stored photos] are the background. Labels without photos get none."""
    anew = np.flatnonzero(material.anew)
    anew = anew[np.isin(anew, np.concatenate([material.stored.labels, material.fresh.labels]))]
    shape = len(material.labels)
    of_stored, of_fresh = np.full((len(stored_at), shape), -np.inf), np.full((len(fresh_at), shape), -np.inf)
    of_stored[:, old.places], of_fresh[:, old.places] = old.stored_after, old.fresh_after
    unjudged, unjudged_stored = np.zeros(len(fresh_at), bool), np.zeros(len(stored_at), bool)
    if not len(anew):
        shares = np.zeros(len(old.places))
        return AllLogits(None, shares, of_stored, of_fresh, unjudged, unjudged_stored, (), anew)
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
        weights=np.concatenate([material.stored_weights[own_stored], material.fresh.weights[own_fresh]]),
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

    rows_of_folds = []
    for fold in range(FOLDS):
        # without the fold: a bias that its photos had set would judge them
        lowered = thresholds(used & (fold_of_stored != fold), folds != fold)
        inside, mine = fold_of_stored == fold, fold_of_fresh == fold
        of_stored[np.ix_(inside, anew)] = raw_stored[inside] - lowered
        of_fresh[np.ix_(mine, anew)] = raw_fresh[mine] - lowered
        rows_of_folds.append(by_fold[fold].lowered(lowered))
    unjudged_stored[own_stored] = ~judged[: int(own_stored.sum())]
    unjudged[own_fresh] = ~judged[int(own_stored.sum()) :]
    lowered_rows = rows.lowered(thresholds(used, np.ones(len(folds), bool)))
    return AllLogits(
        lowered_rows, background.shares, of_stored, of_fresh, unjudged, unjudged_stored, tuple(rows_of_folds), anew
    )


def fit_before(
    parent: Parent, material: Material, old: OldLogits, stored_at: Floats, fold_of_stored: Indices, check: Check
) -> AllLogits:  # fmt: skip
    """Return the logits of stored photos before the corrections; rows that were learned are fitted anew, too."""
    learned = np.array([label in parent.labels for label in material.labels], bool) & material.anew
    nothing = material.fresh.select(np.zeros(len(material.fresh.labels), bool))
    former = replace(material, anew=learned, fresh=nothing)
    none = old.fresh_before[:0]
    before = replace(old, stored_after=old.stored_before, fresh_before=none, fresh_after=none)
    folds = np.zeros(0, np.intp)
    return fit_new(former, before, stored_at, stored_at[:0], fold_of_stored, folds, old.is_old, check)


def answer_as_trained(
    parent: Parent, material: Material, stored_at: Floats, fold_of_stored: Indices, check: Check
) -> tuple[Mask, Indices]:
    """Return the stored photos that no person reviewed, and answers to them by layers fitted to such photos alone.

    The photos are a mask [stored photos], the answers [those photos] places in the labels: what the first of all
    ancestors would have answered. Without earlier learning that is the parent, and there are no photos.
    """
    originals = np.array([name not in parent.learned_from for name in material.stored.sha256], bool)
    if originals.all() or material.is_pseudo:
        return np.zeros_like(originals), np.zeros(0, np.intp)
    nothing = material.fresh.select(np.zeros(len(material.fresh.labels), bool))
    former = replace(
        material,
        stored=select(material.stored, originals),
        stored_weights=material.stored_weights[originals],
        pseudo=material.pseudo[originals],
        stored_clusters=material.stored_clusters[originals],
        fresh=nothing,
    )
    folds = fold_of_stored[originals]
    old = fit_old(parent, former, stored_at[originals], stored_at[:0], folds, folds[:0], check)
    return originals, old.places[old.stored_before.argmax(axis=1)]


def answer_by_folds(old: OldLogits, found: AllLogits, coordinates: Floats, *, after: bool) -> list[Indices]:
    """Return the answers [photos] by the layers without each fold to photos that none was fitted to.

    The answers are places in the new model's labels.
    """
    answers = []
    for fold, (former, corrected) in enumerate(old.layers):
        weights, biases = corrected if after else former
        of_old = multiply(coordinates, weights) + biases
        logits = np.full((len(coordinates), found.stored.shape[1]), -np.inf)
        logits[:, old.places] = of_old
        if found.rows_of_folds:
            logits[:, found.anew] = found.rows_of_folds[fold].logits(coordinates, of_old @ found.shares)
        answers.append(logits.argmax(axis=1).astype(np.intp))
    return answers


def _without(background: Background, kept: Mask) -> Background:
    return replace(
        background,
        coordinates=background.coordinates[kept],
        labels=background.labels[kept],
        logits=background.logits[kept],
    )
