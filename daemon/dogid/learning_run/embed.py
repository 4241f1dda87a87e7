"""Embedding reviewed photos that the present network has not seen, within the limits of all decoding."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from dogid.clock import Clock
from dogid.decoding.byte_budget import ByteBudget, choose_capacity
from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoError
from dogid.inbox.read import TemporaryError, read_photo
from dogid.ledger.embeddings import store_reviewed_embedding
from dogid.ledger.outside_changes import changing_ledger
from dogid.ledger.reviews import Review, list_present_paths
from dogid.model.classifier import Classifier, Model
from dogid.model.classify_photo import classify_photo
from dogid.photo.decode import limit_pixels
from dogid.photo.pixels import DecodedPhoto
from dogid.settings import Settings


def embed_photos(model: Model, chosen: Settings, db: sqlite3.Connection, missing: Sequence[Review]) -> dict[str, bytes]:
    """Return the raw embeddings of photos that are in the inbox still, by content (SHA-256 in hex).

    model was loaded with its embeddings; chosen has the inbox and the limits; db is for reading. A photo that cannot be
    read or decoded within the limits is left out.
    """
    if not missing:
        return {}
    limit_pixels(chosen.max_pixels)
    decoder = Decoder(ByteBudget(choose_capacity(chosen.memory)), chosen.max_pixels, chosen.decode_timeout)
    classifier, made = model.classifier(), dict[str, bytes]()
    with contextlib.closing(decoder):
        for review in missing:
            data = _read(chosen, db, review)
            embedding = None if data is None else _embed(classifier, decoder, data)
            if embedding is not None:
                made[review.sha256] = embedding
    return made


def store_embeddings(state: Path, network: str, made: dict[str, bytes]) -> None:
    """Keep embeddings of reviewed photos in the ledger, so that they are not made again. Raise DogidError."""
    if not made:
        return
    now = Clock().wall_ms()
    with changing_ledger(state, "learn") as db, db:
        db.execute("BEGIN IMMEDIATE")
        for sha256, embedding in made.items():
            store_reviewed_embedding(db, sha256, network, embedding, now)


def _read(chosen: Settings, db: sqlite3.Connection, review: Review) -> bytes | None:
    """Return the bytes of a photo where it was, or under the names that it has now; None where it is gone."""
    for path in dict.fromkeys([review.path, *list_present_paths(db, review.sha256)]):
        try:
            data = read_photo(chosen.inbox.absolute(), path, chosen.max_bytes).data
        except (PhotoError, TemporaryError, OSError, MemoryError):
            continue
        if hashlib.sha256(data).hexdigest() == review.sha256:
            return data
    return None


def _embed(classifier: Classifier, decoder: Decoder, data: bytes) -> bytes | None:
    def decode(data: bytes, size: tuple[int, int], on_start: Callable[[], None]) -> DecodedPhoto:
        return decoder.decode(data, size, on_start=on_start)

    try:
        return classify_photo(data, classifier, decode).embedding
    except (PhotoError, OSError, MemoryError):
        return None
