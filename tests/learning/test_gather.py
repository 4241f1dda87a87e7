"""What a learning run, and the order of photos to review, make of photos that have moved and of damaged embeddings."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from dogid.learning_run.gather import Gathered, gather
from dogid.ledger.outcomes import Classified, Timings
from dogid.ledger.review_writer import say_label, say_verdict
from dogid.model.classifier import Model, load_model
from dogid.model.shipped import shipped_model
from dogid.model.training_embeddings import read_embeddings
from dogid.reviewing.review_order import ORDERS, choose_photos
from dogid.settings import Settings
from tests.ledger.ledger_folder import Inbox, add, moved
from tests.support.photos import photo, put


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(shipped_model(), embeddings=True)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()


def classify(inbox: Inbox, name: str, number: int, embedding: bytes | None, network: str) -> int:
    """Have a photo classified, with an embedding that is given."""
    job = add(inbox, name)
    put(inbox.folder / name, photo(number))
    inbox.observe(name)
    job = replace(inbox.job(), id=job.id)
    made = Classified(
        job, job.version, sha256(photo(number)).hexdigest(), 4, 3, {"cat": 1.0}, inbox.model_id, Timings(1, 2, 4)
    )
    inbox.ledger.record([replace(made, embedding=embedding, network=None if embedding is None else network)])
    return job.id


def gather_all(inbox: Inbox, model: Model) -> tuple[Gathered, list[str]]:
    reported = list[str]()
    return gather(model, Settings(inbox=inbox.folder), inbox.state, inbox.db, reported.append), reported


def test_renamed_photo_is_embedded_where_it_is_now(inbox: Inbox, model: Model) -> None:
    photo_id = classify(inbox, "a.jpg", 0, None, "")
    inbox.ledger.review([photo_id], say_label("wolf", "anna"))
    moved(inbox, "a.jpg", "b.jpg")

    found, _ = gather_all(inbox, model)
    assert (len(found.reviewed), found.without_embedding) == (1, 0)


def test_answers_about_photos_of_the_training_are_gathered(inbox: Inbox, model: Model) -> None:
    stored = read_embeddings(model.file.path)
    assert stored is not None
    relabelled, kept, dropped, again = stored.sha256[:4]
    own = {sha256: model.labels[label] for sha256, label in zip(stored.sha256[:4], stored.labels[:4], strict=True)}
    inbox.ledger.review_training_photos({relabelled: own[relabelled]}, say_label("wolf", "anna"))
    inbox.ledger.review_training_photos({kept: own[kept]}, say_verdict("confirmed", "anna"))
    inbox.ledger.review_training_photos({dropped: own[dropped]}, say_verdict("unsure", "anna"))
    inbox.ledger.review_training_photos({again: "pug"}, say_label("wolf", "anna"))
    assert inbox.ledger.review_training_photos({again: "wolf"}, say_verdict("withdrawn", "anna")) == 1
    assert inbox.ledger.review_training_photos({again: "wolf"}, say_verdict("withdrawn", "anna")) == 0

    record = {**model.file.record, "provenance": {"corrections": [again]}}  # learned as a wolf before that
    found, _ = gather_all(inbox, replace(model, file=replace(model.file, record=record)))

    assert {photo.sha256: photo.label for photo in found.reviewed} == {relabelled: "wolf", kept: own[kept]}
    assert found.reviewed[0].name == f"training photo {relabelled[:12]}"
    np.testing.assert_array_equal(found.reviewed[0].embedding, stored.embeddings[0])
    assert (found.parent.dropped, found.parent.learned_from, found.without_embedding) == (
        frozenset({dropped}),
        frozenset(),
        0,
    )
    assert found.parent.stored is not None
    assert model.labels[found.parent.stored.labels[3]] == "pug"


def test_embedding_of_another_size_is_left_out_or_made_anew(inbox: Inbox, model: Model) -> None:
    network = model.file.network
    assert network is not None
    ids = [
        classify(inbox, f"{number}.jpg", number, bytes(length), network.sha256)
        for number, length in enumerate((1280, 7, 1280, 7))
    ]
    inbox.ledger.review(ids[:2], say_label("wolf", "anna"))

    for order in ORDERS:
        assert {result["id"] for result in choose_photos(inbox.db, order, 9, network)} == set(ids[2:])
    found, reported = gather_all(inbox, model)
    assert (len(found.reviewed), len(found.recent_photos)) == (2, 1)
    assert reported[-1].startswith("leaving out 2 stored embeddings")
    assert gather_all(inbox, model)[1] == reported[-1:]  # that of the reviewed photo was made anew, and stored
