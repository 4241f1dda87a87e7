"""What a learning run works on: the model, the reviews that stand, and the embeddings of both."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dogid.file_names import shown_name
from dogid.learning.photos import LearningError, Parent, ReviewedPhoto
from dogid.learning.standardisation import Floats
from dogid.learning_run.embed import embed_photos, store_embeddings
from dogid.ledger.reviews import (
    EmbeddedReview,
    StoredEmbedding,
    describe_path,
    list_newest_embeddings,
    list_reviews,
    list_standing_reviews,
)
from dogid.model.classifier import Model
from dogid.model.head import read_head
from dogid.model.last_layer import NoLastLayerError, find_last_layer
from dogid.model.network import Network
from dogid.model.training_embeddings import read_embeddings
from dogid.quantities import count_of
from dogid.settings import Settings

REPLAYED = 1000
"""The newest photos that a report compares. More take longer, and hold older photos."""
_BACKGROUND = 3000  # recent photos that stand for stored ones, where the model carries none

Report = Callable[[str], None]
"""Called with each step, for people."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The material of a learning run."""

    parent: Parent
    reviewed: tuple[ReviewedPhoto, ...]
    recent_photos: tuple[StoredEmbedding, ...]
    """[photos], newest first, without reviewed ones."""
    network: Network
    reviewed_results: dict[str, int]
    """Of the reviewed photos, the result that was looked at, by SHA-256; without those of the model's training."""
    unsure: int
    """Photos that people could not label."""
    without_embedding: int
    """Reviewed photos that this network never saw, and that are gone, have changed or cannot be read: left out."""
    unreadable: tuple[tuple[str, str], ...] = ()
    """Those of them that are there and cannot be read: name and reason."""

    def read_recent(self) -> Floats:
        """Return the embeddings of the recent photos [photos, width]."""
        return self.network.read_embeddings([one.data for one in self.recent_photos])


def gather(
    model: Model, chosen: Settings, state: Path, db: sqlite3.Connection, report: Report, *, store: bool = True
) -> Gathered:
    """Return what can be learned from.

    model was loaded with its embeddings. Reviewed photos without an embedding are decoded within the limits of chosen.
    store: whether the embeddings that are made are kept in the ledger of the state folder.

    Raise LearningError where the model's network is not known, or the file's embeddings are damaged.
    """
    network = _network_of(model)
    parent = _restore_labels(db, _read_parent(model, network))
    standing = [_without_damage(one, network) for one in list_standing_reviews(db, network.sha256)]
    labelled = [one for one in standing if one.review.label is not None]
    carried = {} if parent.stored is None else {sha256: at for at, sha256 in enumerate(parent.stored.sha256)}
    unsure = {one.review.sha256 for one in standing if one.review.label is None}
    parent = replace(
        parent, withdrawn=_find_withdrawn(db, parent), dropped=frozenset(unsure & carried.keys() - parent.learned_from)
    )
    missing = [one.review for one in labelled if one.embedding is None and one.review.sha256 not in carried]
    if missing:
        report(f"embedding {count_of(len(missing), 'reviewed photo')} that the present network has not seen")
    made, unreadable = embed_photos(model, chosen, db, missing)
    if store:
        store_embeddings(state, network.sha256, made)
    reviewed = _read_reviewed(network, labelled, made, parent)
    known = {photo.sha256 for photo in reviewed}
    wanted = REPLAYED if parent.has_originals else _BACKGROUND
    newest = list_newest_embeddings(db, network.sha256, wanted)
    recent = [one for one in newest if one.sha256 not in known and network.fits(one.data)]
    if damaged := sum(not network.fits(one.data) for one in newest):
        report(f"leaving out {damaged} stored embeddings of another size than the network's: they are damaged")
    return Gathered(
        parent=parent,
        reviewed=reviewed,
        recent_photos=tuple(recent),
        network=network,
        reviewed_results={
            one.review.sha256: one.review.photo_id for one in labelled if not one.review.is_of_training_photo
        },
        unsure=len(standing) - len(labelled),
        without_embedding=len(labelled) - len(reviewed),
        unreadable=tuple(
            (describe_path(review), unreadable[review.sha256]) for review in missing if review.sha256 in unreadable
        ),
    )


def _without_damage(one: EmbeddedReview, network: Network) -> EmbeddedReview:
    is_damaged = one.embedding is not None and not network.fits(one.embedding)
    return replace(one, embedding=None) if is_damaged else one


def _network_of(model: Model) -> Network:
    if model.file.network is not None:
        return model.file.network
    try:
        find_last_layer(model.file.data)
        reason = "the model is damaged"
    except NoLastLayerError as error:
        reason = str(error)
    raise LearningError(
        f"{model.file.path}: nothing can be learned with it: {reason}; dogid learns with classifiers whose last layer"
        " is fully connected, and whose answer is one label"
    )


def _read_parent(model: Model, network: Network) -> Parent:
    try:
        stored = read_embeddings(model.file.path)
    except ValueError as error:
        raise LearningError(f"{model.file.path}: {error}") from error
    if stored is not None and stored.embeddings.shape[1:] != (network.width,):
        stored = None
    if stored is not None and stored.labels.max(initial=0) >= len(model.labels):
        raise LearningError(f"{model.file.path}: the training embeddings in it are of labels that it does not have")
    provenance = model.file.record.get("provenance")
    learned, learned_labels = (_read_names(provenance, key) for key in ("corrections", "learned_labels"))
    kept, dropped = (_read_names(provenance, key) for key in ("kept", "dropped"))
    parent = Parent(read_head(model.file.data), model.labels, stored, learned, learned_labels)
    return replace(parent, kept_before=kept, dropped_before=dropped)


def _read_names(provenance: object, key: str) -> frozenset[str]:
    names = provenance.get(key) if isinstance(provenance, dict) else None
    return frozenset(map(str, names)) if isinstance(names, list) else frozenset()


def _find_withdrawn(db: sqlite3.Connection, parent: Parent) -> frozenset[str]:
    """Return the photos that a model has learned from reviews which people took back, or are unsure of now.

    Photos that this ledger has no review of stay: the model was made elsewhere, or its reviews were forgotten.
    """
    newest = {sha256: list_reviews(db, sha256, limit=1) for sha256 in parent.learned_from}
    return frozenset(sha256 for sha256, reviews in newest.items() if reviews and reviews[0].label is None)


def _restore_labels(db: sqlite3.Connection, parent: Parent) -> Parent:
    """Give photos of the model's training that people had relabelled their first label where they took that back."""
    if parent.stored is None:
        return parent
    labels, restored = parent.stored.labels.copy(), set[str]()
    place = {label: at for at, label in enumerate(parent.labels)}
    for at, sha256 in enumerate(parent.stored.sha256):
        if sha256 not in parent.learned_from:
            continue
        said = list_reviews(db, sha256)
        first = next((one.model_label for one in reversed(said) if one.is_of_training_photo), None)
        if said and said[0].label is None and first in place:
            labels[at] = place[first]
            restored.add(sha256)
    if not restored:
        return parent
    return replace(
        parent, stored=replace(parent.stored, labels=labels), learned_from=parent.learned_from - frozenset(restored)
    )


def _read_reviewed(
    network: Network, labelled: Sequence[EmbeddedReview], made: dict[str, bytes], parent: Parent
) -> tuple[ReviewedPhoto, ...]:
    """Return the photos with their embeddings: the ledger's, which are not rounded, else what the model carries."""
    raw = {one.review.sha256: one.embedding or made.get(one.review.sha256) for one in labelled}
    known = [(sha256, data) for sha256, data in raw.items() if data is not None]
    read = network.read_embeddings([data for _, data in known])
    embeddings = {sha256: embedding for (sha256, _), embedding in zip(known, read, strict=True)}
    if parent.stored is not None:
        for at, sha256 in enumerate(parent.stored.sha256):
            if sha256 in raw:
                embeddings.setdefault(sha256, parent.stored.embeddings[at])
    return tuple(
        ReviewedPhoto(
            name=describe_path(one.review),
            sha256=one.review.sha256,
            label=one.review.label or "",
            embedding=embeddings[one.review.sha256],
            folder=shown_name(os.path.dirname(one.review.path)),
            # a file's date is that of a copy: twenty photos that were copied together are not one
            taken_at=None,
        )
        for one in labelled
        if one.review.sha256 in embeddings
    )
