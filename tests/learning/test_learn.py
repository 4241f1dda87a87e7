"""Learning a last layer, on clouds of embeddings: what is learned, what is kept, and bad input."""

from dataclasses import replace

import numpy as np
import pytest

from dogid.learning.learn import check_contradictions, learn
from dogid.learning.photos import LearningError, Parent, ReviewedPhoto
from tests.learning.embedding_clouds import NOTHING, WIDTH, Clouds, continued, parent_of, recall, reviewed


@pytest.fixture(scope="module")
def clouds() -> Clouds:
    return Clouds(6)


@pytest.fixture(scope="module")
def parent(clouds: Clouds) -> Parent:
    return parent_of(clouds, ["ant", "bee", "crab"])


def test_new_label_is_learned_and_old_ones_kept(clouds: Clouds, parent: Parent) -> None:
    recent = clouds.draw(3, 30)
    learned = learn(parent, reviewed(clouds.draw(3, 20), "dodo"), recent)

    assert learned.labels == ("ant", "bee", "crab", "dodo")
    assert recall(learned, clouds.draw(3, 200), "dodo") >= 0.9
    for at, label in enumerate(parent.labels):
        before = float((parent.head.logits(clouds.draw(at, 200)).argmax(axis=1) == at).mean())
        assert recall(learned, clouds.draw(at, 200), label) >= before - 0.04
    assert learned.gate.passed
    assert learned.gate.better.gained >= 18
    assert learned.new_labels[0].recall is not None
    assert learned.embeddings.sha256[-20:] == tuple(f"{10**6 + at:064x}" for at in range(20))
    assert sum(change.photos for change in learned.changes if change.after == "dodo") >= 25


def test_corrections_among_known_labels_change_their_rows(clouds: Clouds, parent: Parent) -> None:
    elsewhere = clouds.draw(4, 90)  # bees of a kind that is not stored
    learned = learn(parent, reviewed(elsewhere[:40], "bee"), NOTHING)

    before = float((parent.head.logits(elsewhere[40:]).argmax(axis=1) == 1).mean())
    assert learned.labels == parent.labels
    assert recall(learned, elsewhere[40:], "bee") >= max(0.9, before + 0.2)
    assert learned.gate.passed


def test_confirmed_answers_alone_change_nothing_and_do_not_pass(clouds: Clouds, parent: Parent) -> None:
    embeddings = clouds.draw(0, 20)
    right = embeddings[parent.head.logits(embeddings).argmax(axis=1) == 0]
    learned = learn(parent, reviewed(right, "ant"), NOTHING)

    assert not learned.gate.passed
    assert learned.gate.better.e_value < 20


def test_ten_rounds_do_not_decay(clouds: Clouds, parent: Parent) -> None:
    present = parent
    first = clouds.draw(3, 10)
    for number in range(10):
        label, place = ("dodo", 3) if number % 2 == 0 else ("emu", 5)
        embeddings = first if number == 0 else clouds.draw(place, 6)
        learned = learn(present, reviewed(embeddings, label, 10**6 + number * 100), NOTHING)
        present = continued(learned)

    for at, label in enumerate((*parent.labels, "dodo", "", "emu")):
        assert not label or recall(learned, clouds.draw(at, 200), label) >= 0.85, label
    assert learned.gate.since_training is not None
    assert learned.gate.since_training.photos == 180
    assert abs(learned.gate.since_training.loss) <= 0.02
    assert present.stored is not None
    assert parent.stored is not None
    np.testing.assert_array_equal(present.stored.embeddings[:180], parent.stored.embeddings)


def hide_dodos(clouds: Clouds, count: int = 8, likeness: float = 1.0) -> tuple[Parent, set[str]]:
    """Return a parent among whose stored bees some show dodos, or are as far on the way to them, and their hashes."""
    parent = parent_of(clouds, ["ant", "bee", "crab"], photos=200)
    assert parent.stored is not None
    stored = replace(parent.stored, embeddings=parent.stored.embeddings.copy())
    hidden = slice(200, 200 + count)
    stored.embeddings[hidden] = likeness * clouds.draw(3, count) + (1 - likeness) * clouds.draw(1, count)
    return replace(parent, stored=stored), set(stored.sha256[hidden])


def test_most_stored_photos_of_a_new_label_are_found() -> None:
    seeds, found = 50, list[int]()
    for seed in range(seeds):
        clouds = Clouds(6, seed)
        parent, hidden = hide_dodos(clouds)
        doubted = check_contradictions(parent, reviewed(clouds.draw(3, 20), "dodo"), NOTHING)
        suspected = {one.sha256 for one in doubted if (one.label, one.other) == ("bee", "dodo")}
        found.append(len(suspected & hidden))
        assert len(suspected - hidden) <= 1
    assert sum(found) >= 4.5 * seeds
    assert min(found) >= 1


def test_contradictions_are_left_out() -> None:
    clouds = Clouds(6)
    parent, hidden = hide_dodos(clouds)
    said = reviewed(clouds.draw(3, 20), "dodo")
    learned = learn(parent, said, NOTHING)

    assert hidden & {one.sha256 for one in learned.contradictions}
    assert learned.counts.left_out == len(learned.contradictions)
    assert set(check_contradictions(parent, said, NOTHING)) == set(learned.contradictions)


def test_suspected_photos_are_not_lost_by_the_written_model() -> None:
    clouds = Clouds(6, 2)
    parent, _ = hide_dodos(clouds, 40, 0.8)
    learned = learn(parent, reviewed(clouds.draw(3, 5), "dodo"), NOTHING)

    # layers that have not learned a photo do not give it to the new label, the model that has learned from all does
    assert len(learned.contradictions) >= 5
    assert learned.gate.not_worse.contested == 0
    assert learned.gate.written.photos == 600 - len(learned.contradictions)


def test_answered_contradictions_are_settled() -> None:
    clouds = Clouds(6)
    parent, _ = hide_dodos(clouds)
    stored = parent.stored
    assert stored is not None
    said = reviewed(clouds.draw(3, 20), "dodo")
    twin = ReviewedPhoto(
        "twin.jpg", f"{999:064x}", "dodo", stored.embeddings[0], "", None
    )  # nearly the same, of an ant
    asked = [one.sha256 for one in learn(parent, [*said, twin], NOTHING).contradictions]
    kept, dropped, relabelled = asked[:2], asked[2:3], asked[3:4]
    of = dict(zip(stored.sha256, stored.embeddings, strict=True))
    place = dict(zip(stored.sha256, stored.labels.tolist(), strict=True))
    answers = [ReviewedPhoto("", one, parent.labels[place[one]], of[one], "", None) for one in kept]
    answers += [ReviewedPhoto("", one, "dodo", of[one], "", None) for one in relabelled]

    learned = learn(replace(parent, dropped=frozenset(dropped)), [*said, twin, *answers], NOTHING)

    assert stored.sha256[0] == asked[0]
    assert not {one.sha256 for one in learned.contradictions} & {*kept, *dropped, *relabelled}
    assert (learned.counts.confirmed, learned.counts.dropped, learned.counts.relabelled) == (2, 1, 1)
    labels = dict(zip(learned.embeddings.sha256, learned.embeddings.labels.tolist(), strict=True))
    assert [labels[one] for one in (*kept, *dropped)] == [place[one] for one in (*kept, *dropped)]
    assert labels[relabelled[0]] == 3
    assert learned.counts.stored == 600 - 1 - 1 - learned.counts.left_out


def test_answers_alone_are_learned_once(clouds: Clouds, parent: Parent) -> None:
    said = reviewed(clouds.draw(3, 12), "dodo")
    present = continued(learn(parent, said, NOTHING))
    stored = present.stored
    assert stored is not None
    kept = ReviewedPhoto("", stored.sha256[0], present.labels[stored.labels[0]], stored.embeddings[0], "", None)
    for dropped in (frozenset[str](), frozenset(stored.sha256[1:3])):
        present = replace(present, dropped=dropped)
        learned = learn(present, [*said, kept], NOTHING)
        assert (learned.counts.confirmed, learned.counts.dropped) == (1, len(dropped))
        present = replace(continued(learned), dropped=dropped)
        with pytest.raises(LearningError, match="learned all reviewed photos already"):
            learn(present, [*said, kept], NOTHING)


def test_near_duplicates_with_two_labels_are_left_out_and_named(clouds: Clouds, parent: Parent) -> None:
    twin = clouds.draw(3, 1)
    said = [*reviewed(clouds.draw(3, 12), "dodo"), *reviewed(twin, "dodo", 7), *reviewed(twin * 1.001, "emu", 8)]
    learned = learn(parent, said, NOTHING)

    assert {one.name for one in learned.contradictions if one.name} == {"7.jpg", "8.jpg"}
    assert "emu" not in learned.labels
    assert not {f"{7:064x}", f"{8:064x}"} & set(learned.learned_from)


def test_a_burst_counts_once(clouds: Clouds, parent: Parent) -> None:
    burst = clouds.draw(3, 1) + np.random.default_rng(0).normal(0, 0.05, (30, WIDTH)).astype(np.float32)
    learned = learn(parent, reviewed(burst, "dodo"), NOTHING)

    assert learned.counts.clusters == 1
    assert learned.new_labels[0].recall is None
    assert not learned.gate.passed


def test_one_photo_learns_and_says_what_is_not_known(clouds: Clouds, parent: Parent) -> None:
    learned = learn(parent, reviewed(clouds.draw(3, 1), "dodo"), NOTHING)

    assert learned.labels[-1] == "dodo"
    assert not learned.gate.passed
    assert any("dodo" in note for note in learned.notes)


def test_photos_that_share_memory_are_learned_in_their_order(clouds: Clouds, parent: Parent) -> None:
    """They are not copied where they are all rows of one array; and recent ones may be read when they are needed."""
    rows, recent = np.concatenate([clouds.draw(3, 20), clouds.draw(5, 20)]), clouds.draw(4, 30)
    said = [*reviewed(rows[20:], "emu"), *reviewed(rows[:20], "dodo", 9 * 10**6)]
    apart = [replace(photo, embedding=np.frombuffer(photo.embedding.tobytes(), np.float32)) for photo in said]
    first, second = learn(parent, said, recent), learn(parent, apart, lambda: recent)

    assert np.array_equal(first.head.weights, second.head.weights)
    assert np.array_equal(first.embeddings.embeddings, second.embeddings.embeddings)
    assert first.changes == second.changes
    assert recall(first, clouds.draw(5, 200), "emu") >= 0.9


def test_everything_corrected_to_one_label_is_refused(clouds: Clouds, parent: Parent) -> None:
    everything = np.concatenate([clouds.draw(at, 40) for at in range(3)])
    learned = learn(parent, reviewed(everything, "zebra"), NOTHING)

    assert not learned.gate.passed
    assert any(note.startswith("only") and "of zebra" in note for note in learned.notes)
    kept = np.mean([recall(learned, clouds.draw(at, 100), label) for at, label in enumerate(parent.labels)])
    assert kept >= 0.8


def test_without_unseen_photos_the_old_cannot_be_shown_to_be_kept(clouds: Clouds) -> None:
    learned = learn(parent_of(clouds, ["ant", "bee"], trained=True), reviewed(clouds.draw(3, 20), "dodo"), NOTHING)

    assert not learned.gate.passed
    assert learned.gate.not_worse.photos == 0
    assert learned.notes


def test_model_without_stored_embeddings_learns_against_its_own_answers(clouds: Clouds, parent: Parent) -> None:
    recent = np.concatenate([clouds.draw(at, 40) for at in range(3)])
    learned = learn(replace(parent, stored=None), reviewed(clouds.draw(3, 20), "dodo"), recent)

    assert recall(learned, clouds.draw(3, 200), "dodo") >= 0.85
    assert np.mean([recall(learned, clouds.draw(at, 100), label) for at, label in enumerate(parent.labels)]) >= 0.9
    assert not learned.gate.passed
    assert any("cannot be known" in note for note in learned.notes)
    assert len(learned.embeddings.sha256) == 20
    with pytest.raises(LearningError, match="let the daemon classify more photos"):
        learn(replace(parent, stored=None), reviewed(clouds.draw(3, 20), "dodo"), NOTHING)


def test_three_hundred_labels_are_learned() -> None:
    many = Clouds(301, spread=4.0)
    present = parent_of(many, [f"label {at}" for at in range(300)], photos=6)
    learned = learn(present, reviewed(many.draw(300, 20), "dodo"), NOTHING)

    assert recall(learned, many.draw(300, 100), "dodo") >= 0.6
    assert len(learned.labels) == 301


def test_relabelled_stored_photos_have_the_label_of_people(clouds: Clouds, parent: Parent) -> None:
    assert parent.stored is not None
    photos = [
        ReviewedPhoto(f"{at}.jpg", parent.stored.sha256[at], "dodo", parent.stored.embeddings[at], "", None)
        for at in range(3)
    ]
    said = [*reviewed(clouds.draw(3, 12), "dodo"), *photos]
    learned = learn(parent, said, NOTHING)
    labels = dict(zip(learned.embeddings.sha256, learned.embeddings.labels.tolist(), strict=True))

    assert learned.counts.relabelled == 3
    assert {labels[photo.sha256] for photo in photos} == {3}
    with pytest.raises(LearningError, match="learned all reviewed photos already"):
        learn(continued(learned), said, NOTHING)
