"""What is learned from, in one form: stored and reviewed photos, without those that contradict each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dogid.learning.clusters import find_clusters
from dogid.learning.contradictions import (
    Contradiction,
    describe_same,
    find_same,
)
from dogid.learning.photos import Fresh, LearningError, Mask, Parent, ReviewedPhoto
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
    """Without the photos that people relabelled; of a model without stored ones, recent photos with its answers."""
    is_pseudo: bool
    """Whether the stored photos are recent ones."""
    fresh: Fresh
    known: int
    relabelled: int


def gather_material(parent: Parent, reviewed: Sequence[ReviewedPhoto], recent: Floats, learned: Mask) -> Material:
    """Return the material; arguments as for `learn`, learned [labels] which of the parent's rows are fitted anew.

    Raise LearningError where there is nothing to learn, or nothing to compare with.
    """
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
    return Material(labels, anew, stored, is_pseudo, Fresh(fresh, embeddings, of, clusters), len(same), len(replaced))


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
class Pairs:
    """Near-duplicates with two labels."""

    stored: Mask
    fresh: Mask
    described: tuple[Contradiction, ...]


def find_pairs(material: Material) -> Pairs:
    """Return the stored and reviewed photos that are nearly the same as a reviewed one with another label."""
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
    return Pairs(of_stored, of_fresh, tuple(described))


def leave_out_pairs(material: Material, pairs: Pairs) -> tuple[Material, Mask]:
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
