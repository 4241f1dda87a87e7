"""What a learning run works on: the model, the reviews that stand, and the embeddings of both."""

import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dogid.clock import Clock
from dogid.errors import PhotoError
from dogid.file_names import shown_name
from dogid.inbox.read import TemporaryError, read_photo
from dogid.learning.photos import LearningError, Parent, ReviewedPhoto
from dogid.learning.standardisation import Floats
from dogid.ledger.embeddings import store_reviewed_embedding
from dogid.ledger.outside_changes import changing_ledger
from dogid.ledger.reviews import (
    EmbeddedReview,
    Review,
    StoredEmbedding,
    list_newest_embeddings,
    list_present_paths,
    list_standing_reviews,
)
from dogid.model.classifier import Classifier, Model
from dogid.model.classify_photo import classify_photo
from dogid.model.head import read_head
from dogid.model.last_layer import NoLastLayerError, find_last_layer
from dogid.model.network import Network
from dogid.model.training_embeddings import read_embeddings

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
    recent: Floats
    """[photos, width], newest first, without reviewed ones."""
    recent_photos: tuple[StoredEmbedding, ...]
    """[photos]."""
    unsure: int
    """Photos that people could not label."""
    without_embedding: int
    """Reviewed photos that are gone, or have changed, and that this network never saw: they are left out."""


def gather(model: Model, state: Path, inbox: Path, max_bytes: int, db: sqlite3.Connection, report: Report) -> Gathered:
    """Return what can be learned from.

    model was loaded with its embeddings. Reviewed photos without an embedding are decoded, and it is stored. Raise
    LearningError where the model's network is not known, or the file's embeddings are damaged.
    """
    network = _network_of(model)
    parent = _read_parent(model, network)
    standing = [_without_damage(one, network) for one in list_standing_reviews(db, network.sha256)]
    labelled = [one for one in standing if one.review.label is not None]
    missing = [one.review for one in labelled if one.embedding is None]
    if missing:
        report(f"embedding {len(missing)} reviewed photos that the present network has not seen")
    made = _embed(model, network, state, _Inbox(inbox, max_bytes, db), missing)
    reviewed = _read_reviewed(network, labelled, made)
    known = {photo.sha256 for photo in reviewed}
    wanted = REPLAYED if parent.stored is not None and len(parent.stored.labels) else _BACKGROUND
    newest = list_newest_embeddings(db, network.sha256, wanted)
    recent = [one for one in newest if one.sha256 not in known and network.fits(one.data)]
    if damaged := sum(not network.fits(one.data) for one in newest):
        report(f"leaving out {damaged} stored embeddings of another size than the network's: they are damaged")
    return Gathered(
        parent=parent,
        reviewed=reviewed,
        recent=network.read_embeddings([one.data for one in recent]),
        recent_photos=tuple(recent),
        unsure=len(standing) - len(labelled),
        without_embedding=len(labelled) - len(reviewed),
    )


@dataclass(frozen=True, slots=True)
class _Inbox:
    """Where reviewed photos may be found."""

    folder: Path
    max_bytes: int
    db: sqlite3.Connection

    def read(self, review: Review) -> bytes | None:
        """Return the bytes of a photo where it was, or under the names that it has now; None where it is gone."""
        for path in dict.fromkeys([review.path, *list_present_paths(self.db, review.sha256)]):
            try:
                data = read_photo(self.folder, path, self.max_bytes).data
            except (PhotoError, TemporaryError):
                continue
            if hashlib.sha256(data).hexdigest() == review.sha256:
                return data
        return None


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
    corrections = provenance.get("corrections") if isinstance(provenance, dict) else None
    learned = frozenset(map(str, corrections)) if isinstance(corrections, list) else frozenset()
    return Parent(read_head(model.file.data), model.labels, stored, learned)


def _embed(model: Model, network: Network, state: Path, inbox: _Inbox, missing: Sequence[Review]) -> dict[str, bytes]:
    """Return the embeddings of photos that are in the inbox still, by content; they are stored, too."""
    if not missing:
        return {}
    classifier, made = model.classifier(), dict[str, bytes]()
    for review in missing:
        embedding = _embed_one(classifier, inbox, review)
        if embedding is not None:
            made[review.sha256] = embedding
    if made:
        now = Clock().wall_ms()
        with changing_ledger(state, "learn") as db, db:
            db.execute("BEGIN IMMEDIATE")
            for sha256, embedding in made.items():
                store_reviewed_embedding(db, sha256, network.sha256, embedding, now)
    return made


def _embed_one(classifier: Classifier, inbox: _Inbox, review: Review) -> bytes | None:
    data = inbox.read(review)
    try:
        return None if data is None else classify_photo(data, classifier).embedding
    except PhotoError:
        return None


def _read_reviewed(
    network: Network, labelled: Sequence[EmbeddedReview], made: dict[str, bytes]
) -> tuple[ReviewedPhoto, ...]:
    pairs = [(one.review, one.embedding or made.get(one.review.sha256)) for one in labelled]
    found = [(review, embedding) for review, embedding in pairs if embedding is not None]
    embeddings = network.read_embeddings([embedding for _, embedding in found])
    return tuple(
        ReviewedPhoto(
            name=shown_name(review.path),
            sha256=review.sha256,
            label=review.label or "",
            embedding=embedding,
            folder=shown_name(os.path.dirname(review.path)),
            # a file's date is that of a copy: twenty photos that were copied together are not one
            taken_at=None,
        )
        for (review, _), embedding in zip(found, embeddings, strict=True)
    )
