"""What is learned from, in one form: stored and reviewed photos, without those that contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dogid.learning.clusters import find_clusters
from dogid.learning.contradictions import (
    Contradiction,
    describe_same,
    find_twins,
)
from dogid.learning.photos import Fresh, Indices, LearningError, Mask, Parent, ReviewedPhoto
from dogid.learning.standardisation import Floats
from dogid.model.training_embeddings import TrainingEmbeddings

_FEWEST_BACKGROUND = 30
"""Photos to distinguish new labels from; with fewer, anything would be the new label."""


@dataclass(frozen=True, slots=True)
class Material:
    """The photos, in one form."""

    labels: tuple[str, ...]
    """Of the new model: the parent's first."""
    anew: Mask
    """[labels], whose rows are fitted anew."""
    stored: TrainingEmbeddings
    """Without the photos that people relabelled; of a model without originals, recent photos with its answers, too."""
    pseudo: Mask
    """[stored photos], whether it is a recent one, whose label is the parent's answer."""
    stored_clusters: Indices
    """[stored photos], the number of each photo's near-duplicates, reviewed ones among them."""
    stored_weights: NDArray[np.float64]
    """[stored photos], how much each counts: 1, and of those learned from reviews a cluster as much as one photo."""
    confirmed: Mask
    """[stored photos], whether people said that its label is right: no contradiction speaks against it."""
    fresh: Fresh
    dropped: TrainingEmbeddings
    """Stored photos that people want to be left out: carried on, in the parent's label places."""
    known: int
    relabelled: int
    withdrawn: int
    """Photos that the parent has learned, and of which people took back what they had said."""

    @property
    def is_pseudo(self) -> bool:
        """Whether the parent's answers stand for the labels that it was trained with."""
        return bool(self.pseudo.any())


def gather_material(parent: Parent, reviewed: Sequence[ReviewedPhoto], recent: Floats, learned: Mask) -> Material:
    """Return the material; arguments as for `learn`, learned [labels] which of the parent's rows are fitted anew.

    Raise LearningError where there is nothing to learn, or nothing to compare with.
    """
    taken_back = parent.withdrawn & parent.learned_from
    carried = _empty(parent) if parent.stored is None else parent.stored
    is_taken_back = np.array([name in taken_back for name in carried.sha256], bool)
    is_dropped = np.array([name in parent.dropped for name in carried.sha256], bool) & ~is_taken_back
    withdrawn = int(is_taken_back.sum())
    if not reviewed and not withdrawn and not _has_new_answers(parent, carried, frozenset()):
        raise LearningError("nobody has reviewed a photo yet; say what some of them show: dogid label FILE LABEL")
    labels = (*parent.labels, *sorted({photo.label for photo in reviewed} - set(parent.labels)))
    place = {label: at for at, label in enumerate(labels)}
    anew = np.concatenate([learned, np.ones(len(labels) - len(parent.labels), bool)])
    stored = select(carried, ~is_taken_back & ~is_dropped)
    held = {name: at for at, name in enumerate(stored.sha256)}
    known = [photo for photo in reviewed if photo.sha256 in held]
    same = {photo.sha256 for photo in known if stored.labels[held[photo.sha256]] == place[photo.label]}
    fresh = [photo for photo in reviewed if photo.sha256 not in same]
    kept_now = frozenset(same - parent.learned_from)
    if not fresh and not withdrawn and not (anew.any() and _has_new_answers(parent, carried, kept_now)):
        raise LearningError("the model has learned all reviewed photos already; review more of them")
    replaced = [held.get(photo.sha256, -1) for photo in fresh]
    trained = np.array([at >= 0 and stored.network_trained[at] for at in replaced], bool)
    formerly = np.array([stored.labels[at] if at >= 0 else -1 for at in replaced], np.intp)
    kept = np.ones(len(stored.labels), bool)
    kept[[at for at in replaced if at >= 0]] = False
    stored = select(stored, kept)
    pseudo = np.zeros(len(stored.labels), bool)
    confirmed = np.array([name in kept_now for name in stored.sha256], bool)
    if not parent.has_originals:
        pseudo = np.concatenate([pseudo, np.ones(len(recent), bool)])
        confirmed = np.concatenate([confirmed, np.zeros(len(recent), bool)])
        stored = _add_recent(stored, parent, recent)
    if int((~anew[stored.labels]).sum()) < _FEWEST_BACKGROUND:
        raise LearningError(
            f"there are {int((~anew[stored.labels]).sum())} photos with known answers to compare with, and "
            f"{_FEWEST_BACKGROUND} are needed: let the daemon classify more photos first"
        )
    embeddings = _stack(fresh, stored.embeddings.shape[1])
    of = np.array([place[photo.label] for photo in fresh], np.intp)
    clusters = find_clusters(
        [stored.embeddings, embeddings], [photo.folder for photo in fresh], [photo.taken_at for photo in fresh]
    )
    # a burst with two labels is not one proof of both
    clusters = np.unique(clusters * len(labels) + np.concatenate([stored.labels, of]), return_inverse=True)[1]
    weights = 1.0 / np.bincount(clusters)[clusters]
    is_learned = np.array([name in parent.learned_from for name in stored.sha256], bool)
    old = len(stored.labels)
    return Material(
        labels=labels,
        anew=anew,
        stored=stored,
        pseudo=pseudo,
        stored_clusters=clusters[:old].astype(np.intp),
        stored_weights=np.where(is_learned, weights[:old], 1.0),
        confirmed=confirmed,
        fresh=Fresh(fresh, embeddings, of, clusters[old:].astype(np.intp), weights[old:], trained, formerly),
        dropped=select(carried, is_dropped),
        known=len(same & parent.learned_from),
        relabelled=int((formerly >= 0).sum()),
        withdrawn=withdrawn,
    )


def _stack(photos: Sequence[ReviewedPhoto], width: int) -> Floats:
    """Return the photos' embeddings [photos, width]: the array that they are all rows of, where there is one."""
    whole = photos[0].embedding.base if photos else None
    # of np.frombuffer, the base are bytes
    if isinstance(whole, np.ndarray) and whole.dtype == np.float32 and whole.shape == (len(photos), width):
        places = [photo.embedding.ctypes.data for photo in photos]
        if places == [row.ctypes.data for row in whole]:
            return whole
    return np.array([photo.embedding for photo in photos], np.float32).reshape(-1, width)


def _has_new_answers(parent: Parent, carried: TrainingEmbeddings, kept: frozenset[str]) -> bool:
    """Whether people keep or drop other stored photos than when the parent was learned: it would learn of others."""
    before = (parent.kept_before.intersection(carried.sha256), parent.dropped_before.intersection(carried.sha256))
    return before != (kept, parent.dropped.intersection(carried.sha256))


def _empty(parent: Parent) -> TrainingEmbeddings:
    empty = np.zeros((0, parent.head.weights.shape[1]), np.float32)
    return TrainingEmbeddings(empty, np.zeros(0, np.int64), (), np.zeros(0, bool))


def _add_recent(stored: TrainingEmbeddings, parent: Parent, recent: Floats) -> TrainingEmbeddings:
    """Return stored photos and recent ones [photos, width] with the parent's own answers."""
    if not len(recent):
        return stored
    return replace(
        stored,
        embeddings=np.concatenate([stored.embeddings, recent]),
        labels=np.concatenate([stored.labels, parent.head.logits(recent).argmax(axis=1)]),
        sha256=(*stored.sha256, *(f"recent {at}" for at in range(len(recent)))),
        network_trained=np.concatenate([stored.network_trained, np.zeros(len(recent), bool)]),
    )


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
class Pairs:
    """Near-duplicates with two labels."""

    stored: Indices
    """[stored photos], the label of a reviewed photo that is nearly the same; -1 without one."""
    fresh: Mask
    described: tuple[Contradiction, ...]


def find_pairs(material: Material) -> Pairs:
    """Return the stored and reviewed photos that are nearly the same as a reviewed one with another label."""
    stored, fresh, labels = material.stored, material.fresh, material.labels
    twins = find_twins(stored.embeddings, stored.labels, fresh.embeddings, fresh.labels)
    twins[material.pseudo | material.confirmed] = -1
    described = [
        describe_same(
            stored.sha256[at], None, labels[stored.labels[at]], labels[fresh.labels[twins[at]]],
            fresh.photos[twins[at]].name,
        )
        for at in np.flatnonzero(twins >= 0).tolist()
    ]  # fmt: skip
    own_twins = find_twins(fresh.embeddings, fresh.labels, fresh.embeddings, fresh.labels)
    for at in np.flatnonzero(own_twins >= 0).tolist():
        photo, other = fresh.photos[at], fresh.photos[own_twins[at]]
        described.append(describe_same(photo.sha256, photo.name, photo.label, other.label, other.name))
    of_twins = np.where(twins >= 0, fresh.labels[twins], -1) if len(fresh.labels) else twins
    return Pairs(of_twins, own_twins >= 0, tuple(described))


def leave_out_pairs(material: Material, pairs: Pairs) -> tuple[Material, NDArray[np.bool_]]:
    """Return the material without reviewed photos that contradict each other, and what speaks against stored ones.

    That is which labels [stored photos, labels]. Labels that have no photo left keep their rows; new ones, and learned
    ones, are gone.
    """
    fresh = material.fresh.select(~pairs.fresh)
    if pairs.fresh.all() and len(pairs.fresh):
        raise LearningError("all reviewed photos contradict each other: dogid learn --check lists them")
    used = ~material.anew
    used[fresh.labels] = used[material.stored.labels] = True
    moved = np.cumsum(used) - 1
    against = np.zeros((len(material.stored.labels), int(used.sum())), bool)
    # a reviewed photo that spoke against a stored one may be left out itself: then its label may be gone
    said = np.flatnonzero((pairs.stored >= 0) & used[pairs.stored])
    against[said, moved[pairs.stored[said]]] = True
    return (
        replace(
            material,
            labels=tuple(label for at, label in enumerate(material.labels) if used[at]),
            anew=material.anew[used],
            fresh=replace(fresh, labels=moved[fresh.labels], formerly=_move(fresh.formerly, moved, used)),
            stored=_move_labels(material.stored, moved),
            dropped=_move_labels(select(material.dropped, used[material.dropped.labels]), moved),
        ),
        against,
    )


def _move_labels(photos: TrainingEmbeddings, moved: Indices) -> TrainingEmbeddings:
    return replace(photos, labels=moved[photos.labels])


def _move(labels: Indices, moved: NDArray[np.integer], used: Mask) -> Indices:
    """Return labels' new places; -2 of those that are gone, -1 of none."""
    return np.where(labels < 0, -1, np.where(used[labels], moved[labels], -2)).astype(np.intp)
