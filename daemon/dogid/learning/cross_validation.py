"""Answers of layers that were not fitted to the photo, and the rows fitted to all: what is judged, and what is used."""

from dataclasses import dataclass, replace

import numpy as np

from dogid.learning.folds import FOLDS, deal_clusters
from dogid.learning.logistic_regression import multiply
from dogid.learning.material import Material
from dogid.learning.new_rows import (
    Background,
    NewPhotos,
    NewRows,
    find_thresholds,
    fit_new_rows,
    measure_background,
)
from dogid.learning.old_rows import OldPhotos, OldRows, fit_old_rows
from dogid.learning.photos import Check, Indices, Mask, Parent
from dogid.learning.standardisation import Floats, Matrix


def deal_folds(material: Material) -> tuple[Indices, Indices]:
    """Return the folds of stored and of reviewed photos, whole clusters each."""
    stored = material.stored
    return (
        deal_clusters(stored.labels.astype(np.intp), np.arange(len(stored.labels), dtype=np.intp)),
        deal_clusters(material.fresh.labels, material.fresh.clusters),
    )


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
    change: tuple[Matrix, Matrix]


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
        return OldLogits(places, is_old, of_stored, of_stored, of_fresh, of_fresh, zeros)
    rows = fit_old_rows(photos, np.concatenate([of_stored[is_old], of_fresh[fresh_is_old]]), FOLDS, check)
    stored_before, stored_after = of_stored.copy(), of_stored.copy()
    if material.is_pseudo:  # the parent had not seen them: its own answers are honest, and so is the difference
        stored_after[is_old] += rows.after[: int(is_old.sum())] - rows.before[: int(is_old.sum())]
    else:
        stored_before[is_old], stored_after[is_old] = rows.before[: int(is_old.sum())], rows.after[: int(is_old.sum())]
    changed = _change(of_fresh, fresh_at, fold_of_fresh, rows)
    return OldLogits(places, is_old, stored_before, stored_after, of_fresh, changed, rows.change)


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


def fit_new(
    material: Material, old: OldLogits, stored_at: Floats, fresh_at: Floats, fold_of_stored: Indices,
    fold_of_fresh: Indices, used: Mask, check: Check,
) -> AllLogits:  # fmt: skip
    """Return the new rows and all logits; used [stored photos] are the background."""
    anew = np.flatnonzero(material.anew)
    shape = len(material.labels)
    of_stored, of_fresh = np.full((len(stored_at), shape), -np.inf), np.full((len(fresh_at), shape), -np.inf)
    of_stored[:, old.places], of_fresh[:, old.places] = old.stored_after, old.fresh_after
    unjudged = np.zeros(len(fresh_at), bool)
    if not len(anew):
        return AllLogits(None, np.zeros(len(old.places)), of_stored, of_fresh, unjudged)
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
    return AllLogits(
        rows.lowered(thresholds(used, np.ones(len(folds), bool))), background.shares, of_stored, of_fresh, unjudged
    )


def _without(background: Background, kept: Mask) -> Background:
    return replace(
        background,
        coordinates=background.coordinates[kept],
        labels=background.labels[kept],
        logits=background.logits[kept],
    )
