"""Embedding reviewed photos that the present network has not seen, within the limits of all decoding."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from dogid.clock import Clock
from dogid.decoding.byte_budget import ByteBudget, choose_capacity
from dogid.decoding.decoder import Decoder
from dogid.errors import PhotoCode, PhotoError
from dogid.inbox.read import TemporaryError, read_photo
from dogid.ledger.embeddings import store_reviewed_embedding
from dogid.ledger.outside_changes import changing_ledger
from dogid.ledger.reviews import Review, list_present_paths
from dogid.model.classifier import Classifier, Model
from dogid.model.classify_photo import classify_photo
from dogid.photo.decode import limit_pixels
from dogid.photo.pixels import DecodedPhoto
from dogid.settings import Settings


def embed_photos(
    model: Model, chosen: Settings, db: sqlite3.Connection, missing: Sequence[Review]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the raw embeddings of photos that are in the inbox still, by content (SHA-256 in hex).

    model was loaded with its embeddings; chosen has the inbox and the limits; db is for reading. Beside them, by
    content, why photos that are there cannot be read, or not decoded within the limits. Those that are gone are in
    neither.
    """
    if not missing:
        return {}, {}
    limit_pixels(chosen.max_pixels)
    decoder = Decoder(ByteBudget(choose_capacity(chosen.memory)), chosen.max_pixels, chosen.decode_timeout)
    classifier, made, unreadable = model.classifier(), dict[str, bytes](), dict[str, str]()
    with contextlib.closing(decoder):
        for review in missing:
            try:
                data = _read(chosen, db, review)
                embedding = None if data is None else _embed(classifier, decoder, data)
            except (PhotoError, TemporaryError, OSError, MemoryError) as error:
                unreadable[review.sha256] = _explain(error)
            else:
                if embedding is not None:
                    made[review.sha256] = embedding
    return made, unreadable


def _explain(error: Exception) -> str:
    if isinstance(error, PhotoError):
        return f"{error.code}: {error.message}"
    return str(error) or type(error).__name__


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
    """Return the bytes of a photo where it was, or under the names that it has now; None where it is gone.

    Raise as `read_photo` where it is there, and no file with its content can be read.
    """
    problem: Exception | None = None
    for path in dict.fromkeys([review.path, *list_present_paths(db, review.sha256)]):
        try:
            data = read_photo(chosen.inbox.absolute(), path, chosen.max_bytes).data
        except (PhotoError, TemporaryError, OSError, MemoryError) as error:
            if not (isinstance(error, PhotoError) and error.code is PhotoCode.VANISHED):
                problem = error
            continue
        if hashlib.sha256(data).hexdigest() == review.sha256:
            return data
    if problem is not None:
        raise problem
    return None


def _embed(classifier: Classifier, decoder: Decoder, data: bytes) -> bytes | None:
    """Return what the network makes of a photo. Raise PhotoError, OSError or MemoryError where it cannot be decoded."""

    def decode(data: bytes, size: tuple[int, int], on_start: Callable[[], None]) -> DecodedPhoto:
        return decoder.decode(data, size, on_start=on_start)

    return classify_photo(data, classifier, decode).embedding
