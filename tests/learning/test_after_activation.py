"""Going back by itself: seldom from a model that is as good, soon from a worse one, whatever people are like."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.clock import iso_utc
from dogid.learning_run.after_activation import judge_activation
from dogid.ledger.outcomes import Classified, Timings
from dogid.ledger.review_writer import say_label
from dogid.model.classifier import load_model
from dogid.model.head import Head, read_head
from dogid.model.network import Network
from dogid.model.shipped import shipped_model
from dogid.shelf.pointer import Entry
from tests.ledger.ledger_folder import NOON, Inbox, add
from tests.support.word_histories import Models, Person, count_words_until_rollback

_HISTORIES = 100


@pytest.mark.parametrize(
    "person", [Person(1, 0), Person(1, 0.1), Person(1, 1), Person(0.5, 0.02)], ids=lambda one: f"{one.corrects}"
)
def test_equally_good_model_is_seldom_left(person: Person) -> None:
    rng, models = np.random.default_rng(0), Models(0.04, 0.04)
    left = [count_words_until_rollback(models, person, rng, looks=25) for _ in range(_HISTORIES)]

    assert sum(words is not None for words in left) <= 0.05 * _HISTORIES


def test_worse_model_is_left_after_few_corrections() -> None:
    rng, models = np.random.default_rng(0), Models(0.1, 0.01)
    words = [count_words_until_rollback(models, Person(0.9, 0), rng) for _ in range(30)]

    assert all(count is not None and count <= 60 for count in words)


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    made = Inbox(tmp_path)
    yield made
    made.close()


def classify(inbox: Inbox, network: Network, model: int, name: str, embedding: bytes) -> int:
    """Have a model answer a photo, with an embedding that is given; return its id."""
    job = add(inbox, name)
    made = Classified(job, job.version, sha256(name.encode()).hexdigest(), 1, 1, {"cat": 1.0}, model, Timings(1, 1, 1))
    inbox.ledger.record([replace(made, embedding=embedding, network=network.sha256)])
    return job.id


def test_accepted_photos_are_the_active_models_own(inbox: Inbox) -> None:
    former = load_model(shipped_model(), embeddings=True)
    head, network = read_head(former.file.data), former.file.network
    assert network is not None
    others = tuple(np.roll(former.labels, 1).tolist())  # every answer is another
    active = replace(former, labels=others, file=replace(former.file, sha256="ac" * 32))
    by_former = inbox.ledger.register_model("former.tflite", former.file.sha256, former.labels)
    by_active = inbox.ledger.register_model("active.tflite", active.file.sha256, active.labels)
    raw = np.random.default_rng(0).integers(-128, 128, (40, network.width), np.int8)
    entry = Entry("active.tflite", active.file.sha256, iso_utc(NOON - 1000))

    def show(model: int, number: int, at: int) -> int:
        return classify(inbox, network, model, f"{number}.jpg", raw[at].tobytes())

    def judge() -> tuple[int, int]:
        found = judge_activation(inbox.db, active, entry, None, inbox.state)
        assert found is not None
        return found.better_before, found.better_now

    def answer(photo: int, at: int) -> None:
        inbox.ledger.review([photo], say_label(answers_before[at], "anna"))

    answers_before = _answer(head, former.labels, network, raw)
    said = [(show(by_former, number, number), number) for number in range(10)]
    for number in range(10, 20):
        show(by_former, number, number)
    said.append((show(by_former, 20, 20), 20))
    for photo, at in said:
        answer(photo, at)
    assert judge() == (11, 0)  # the former's ten others say nothing

    show(by_active, 21, 21)
    show(by_active, 22, 21)  # nearly the same
    show(by_active, 23, 20)  # nearly the same as one with a word
    answer(show(by_active, 24, 24), 24)
    assert judge() == (12, 1)


def _answer(head: Head, labels: tuple[str, ...], network: Network, raw: NDArray[np.int8]) -> list[str]:
    logits = head.logits(network.read_embeddings([row.tobytes() for row in raw]))
    return [labels[at] for at in logits.argmax(axis=1)]
