"""The gate on layers that were learned: worse ones are refused, and each photo that may be lost is judged."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from dogid.learning import learn as learning
from dogid.learning.learn import learn
from dogid.learning.photos import Parent, ReviewedPhoto
from dogid.model.head import Head
from tests.learning.embedding_clouds import NOTHING, WIDTH, Clouds, continued, parent_of, recall, reviewed
from tests.learning.worse_heads import Worsen, damage_weights, drop_row, shuffle_rows


def shift_rows(head: Head, _: np.random.Generator) -> Head:
    return Head(np.roll(head.weights, 1, axis=0), np.roll(head.bias, 1))


_damage_weights = damage_weights(3.0)
WORSE = [shift_rows, shuffle_rows, drop_row, _damage_weights]


@cache
def passing(seed: int) -> tuple[Parent, list[ReviewedPhoto]]:
    """A model and reviewed photos from which a layer is learned that passes the gate."""
    clouds = Clouds(6, seed)
    parent, said = parent_of(clouds, ["ant", "bee", "crab"], 100), reviewed(clouds.draw(3, 20), "dodo")
    assert learn(parent, said, NOTHING).gate.passed
    return parent, said


@pytest.mark.parametrize("worsen", WORSE)
@pytest.mark.parametrize("seed", range(3))
def test_worse_layers_are_refused(worsen: Worsen, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (parent, said), rng, build = passing(seed), np.random.default_rng(seed + 100), learning.build_head
    monkeypatch.setattr(learning, "build_head", lambda *args: worsen(build(*args), rng))

    assert not learn(parent, said, NOTHING).gate.passed


@pytest.mark.parametrize("worsen", [shift_rows, shuffle_rows, _damage_weights])
def test_parents_that_are_not_as_their_photos_say_are_refused(
    worsen: Worsen,
) -> None:
    """Layers refitted to the photos would show recalls that this model never had."""
    clouds = Clouds(6)
    parent = parent_of(clouds, ["ant", "bee", "crab"], 100)
    damaged = replace(parent, head=worsen(parent.head, np.random.default_rng(100)))
    gate = learn(damaged, reviewed(clouds.draw(3, 20), "dodo"), NOTHING).gate

    assert not gate.passed
    assert any("the former model answers" in reason for reason in gate.reasons)


def test_damage_that_only_recent_photos_show_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clouds = Clouds(6)
    parent, recent, said = parent_of(clouds, ["ant", "bee", "crab"], 100), clouds.draw(4, 100), clouds.draw(3, 20)
    assert parent.stored is not None
    assert learn(parent, reviewed(said, "dodo"), recent).gate.passed
    build, known = learning.build_head, np.concatenate([parent.stored.embeddings, said])

    def damage(*args: Any) -> Head:
        """Change the answers to recent photos alone, by a direction that photos known by their labels hardly have."""
        head = build(*args)
        way = np.linalg.lstsq(np.vstack([known - known.mean(axis=0), 30 * (recent - known.mean(axis=0))]),
                              np.r_[np.zeros(len(known)), np.full(len(recent), 30.0)], rcond=None)[0]  # fmt: skip
        turned = np.outer([100.0, 0, -100, 0], way)
        return Head((head.weights + turned).astype(np.float32), (head.bias - turned @ known.mean(axis=0)).astype("f4"))

    monkeypatch.setattr(learning, "build_head", damage)
    gate = learn(parent, reviewed(said, "dodo"), recent).gate
    assert any("recent photos" in reason for reason in gate.reasons)


def test_same_thing_under_a_second_name_is_refused() -> None:
    """Also where the label that it takes photos from was itself learned."""
    clouds = Clouds(6)
    first = learn(parent_of(clouds, ["ant", "bee", "crab"], 200), reviewed(clouds.draw(3, 30), "dodo"), NOTHING)
    second = learn(continued(first), reviewed(clouds.draw(3, 30), "emu", 9 * 10**6), NOTHING)

    assert first.gate.passed
    assert not second.gate.passed
    assert any(reason.startswith("dodo is recognised less") for reason in second.gate.reasons)


def test_confirmed_photos_show_that_the_old_is_kept() -> None:
    clouds = Clouds(6)
    parent = parent_of(clouds, ["ant", "bee", "crab"], trained=True)
    confirmed = [one for at in range(3) for one in reviewed(clouds.draw(at, 70), parent.labels[at], 10**7 + 1000 * at)]
    said = reviewed(clouds.draw(3, 20), "dodo")

    assert not learn(parent, said, NOTHING).gate.passed
    learned = learn(parent, [*said, *confirmed], NOTHING)
    assert (learned.gate.passed, learned.gate.not_worse.photos) == (True, 210)


def test_a_burst_counts_once_in_later_rounds() -> None:
    clouds = Clouds(6)
    burst = clouds.draw(0, 1) + np.random.default_rng(0).normal(0, 0.02, (100, WIDTH)).astype(np.float32)
    said = [*reviewed(clouds.draw(3, 30), "dodo"), *reviewed(burst, "ant", 5 * 10**6)]
    first = learn(parent_of(clouds, ["ant", "bee", "crab"], trained=True), said, NOTHING)
    gate = learn(continued(first), reviewed(clouds.draw(5, 30), "emu", 9 * 10**6), NOTHING).gate

    assert gate.not_worse.photos == 130
    assert gate.not_worse.clusters == 31


def test_learned_label_is_renamed() -> None:
    clouds = Clouds(6)
    said = reviewed(clouds.draw(3, 30), "dodo")
    first = learn(parent_of(clouds, ["ant", "bee", "crab"], 200), said, NOTHING)
    renamed = [*(replace(photo, label="raphus") for photo in said), *reviewed(clouds.draw(3, 5), "raphus", 9 * 10**6)]
    second = learn(continued(first), renamed, NOTHING)

    assert second.labels == ("ant", "bee", "crab", "raphus")
    assert second.gate.reasons == ()
    assert recall(second, clouds.draw(3, 200), "raphus") >= 0.9


def test_reviews_taken_back_are_unlearned() -> None:
    clouds = Clouds(6)
    said, wrong = reviewed(clouds.draw(3, 20), "dodo"), reviewed(clouds.draw(5, 20), "emu", 5 * 10**6)
    first = learn(parent_of(clouds, ["ant", "bee", "crab"], 200), [*said, *wrong], NOTHING)
    parent = replace(continued(first), withdrawn=frozenset(photo.sha256 for photo in wrong))
    second = learn(parent, said, NOTHING)

    assert (first.labels[-1], second.labels[-1]) == ("emu", "dodo")
    assert second.counts.withdrawn == 20
    assert not {photo.sha256 for photo in wrong} & {*second.learned_from, *second.embeddings.sha256}
    assert not [reason for reason in second.gate.reasons if "missing" in reason]


def test_model_without_embeddings_learns_a_second_time() -> None:
    clouds = Clouds(6)
    recent = np.concatenate([clouds.draw(at, 40) for at in range(3)])
    said = [*reviewed(clouds.draw(3, 20), "dodo"), *reviewed(clouds.draw(1, 5), "bee", 5 * 10**6)]
    first = learn(replace(parent_of(clouds, ["ant", "bee", "crab"]), stored=None), said, recent)
    parent = continued(first)
    second = learn(parent, reviewed(clouds.draw(5, 20), "emu", 9 * 10**6), recent)

    assert parent.find_learned_labels().tolist() == [False, False, False, True]
    assert second.labels == ("ant", "bee", "crab", "dodo", "emu")
    assert len(second.embeddings.sha256) == 45
    assert min(recall(second, clouds.draw(at, 200), label) for at, label in ((3, "dodo"), (5, "emu"))) >= 0.8
    assert any("cannot be known" in note for note in second.notes)


def test_photos_the_network_was_trained_on_prove_nothing_when_relabelled() -> None:
    clouds = Clouds(6)
    parent: Parent = parent_of(clouds, ["ant", "bee", "crab"], trained=True)
    assert parent.stored is not None
    relabelled = [
        ReviewedPhoto(f"{at}.jpg", parent.stored.sha256[at], "dodo", parent.stored.embeddings[at], "", None)
        for at in range(20)
    ]
    learned = learn(parent, relabelled, NOTHING)

    assert learned.gate.better.photos == 0
    assert learned.embeddings.network_trained.all()
