"""Heads on embeddings of which a hundred features say nothing and three separate the labels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from dogid.evaluation.metrics import expected_calibration_error
from dogid.learning.temperature_scaling import fit_temperature, nll, softmax
from dogid_convert.training.group_folds import ALWAYS_TRAINED, deal_folds
from dogid_convert.training.head_choice import (
    CANDIDATES,
    LDA,
    SOFTMAX,
    UNPROVED,
    Candidate,
    EmbeddedPhotos,
    choose_head,
    fit_head,
)

WIDTH, LABELS = 100, 3


def make_photos(photos: int, seed: int = 0, labels: int = LABELS, distance: float = 1.5) -> EmbeddedPhotos:
    rng = np.random.default_rng(seed)
    of = np.arange(photos) % labels
    embeddings = distance * np.eye(WIDTH)[of] + rng.normal(0, 1, (photos, WIDTH))
    embeddings *= np.geomspace(0.3, 3, WIDTH)  # of very different sizes, as a network's features are
    return EmbeddedPhotos(embeddings[:, None].astype(np.float32), of, np.ones(photos, np.float32), labels)


def folds_of(photos: EmbeddedPhotos) -> NDArray[np.intp]:
    return deal_folds(photos.labels, np.arange(len(photos.labels)))


def test_choice_is_as_good_as_the_best_candidate_on_new_photos() -> None:
    photos, new = make_photos(90), make_photos(3000, seed=1)
    chosen = choose_head(photos, folds_of(photos))

    def accuracy(candidate: Candidate) -> float:
        logits = fit_head(photos, candidate).logits(new.embeddings[:, 0])
        return float((logits.argmax(axis=1) == new.labels).mean())

    by_candidate = [accuracy(candidate) for candidate in CANDIDATES]
    assert accuracy(chosen.candidate) > max(by_candidate) - 0.03
    assert accuracy(chosen.candidate) > min(by_candidate) + 0.02


def test_calibrated_head_is_as_sure_as_it_is_right_on_new_photos() -> None:
    photos, new = make_photos(90), make_photos(3000, seed=1)
    chosen = choose_head(photos, folds_of(photos))

    logits = chosen.calibrated.logits(new.embeddings[:, 0])
    assert expected_calibration_error(softmax(logits), new.labels) < 0.06
    assert expected_calibration_error(softmax(10 * logits), new.labels) > 0.2


def test_random_labels_are_predicted_by_chance_only() -> None:
    photos = make_photos(300, distance=0.0)
    chosen = choose_head(photos, folds_of(photos))

    assert 0.25 < (chosen.logits.argmax(axis=1) == photos.labels).mean() < 0.42
    assert (chosen.head.logits(photos.embeddings[:, 0]).argmax(axis=1) == photos.labels).mean() > 0.6


def test_nothing_to_compare_gives_the_unproved_head() -> None:
    photos = make_photos(LABELS)
    for folds in (folds_of(photos), np.full(LABELS, ALWAYS_TRAINED)):
        chosen = choose_head(photos, folds)
        assert chosen.candidate == UNPROVED
        assert chosen.losses == ()
        assert chosen.temperature == 1.0


@pytest.mark.parametrize("photos", [60, 300])
def test_lda_equals_scikit_learns(photos: int) -> None:
    made = make_photos(photos)
    head = fit_head(made, Candidate(LDA, 0.5))

    inputs = made.embeddings[:, 0] / made.embeddings[:, 0].std(axis=0)
    expected = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5).fit(inputs, made.labels)
    agreement = (head.logits(made.embeddings[:, 0]).argmax(axis=1) == expected.predict(inputs)).mean()
    assert agreement > 0.99


@pytest.mark.parametrize("kind", [SOFTMAX, LDA])
def test_scale_of_a_feature_changes_nothing(kind: str) -> None:
    photos = make_photos(60)
    scale = np.geomspace(3, 0.3, WIDTH).astype(np.float32)
    scaled = EmbeddedPhotos(photos.embeddings * scale, photos.labels, photos.sample_weight, LABELS)
    candidate = next(candidate for candidate in CANDIDATES if candidate.kind == kind)

    logits = [fit_head(made, candidate).logits(made.embeddings[:, 0]) for made in (photos, scaled)]
    np.testing.assert_allclose(logits[0], logits[1], atol=2e-3)


def test_weight_of_two_equals_a_repeated_photo() -> None:
    photos = make_photos(60)
    twice = np.concatenate([np.arange(60), np.flatnonzero(photos.labels == 0)])
    weighted = EmbeddedPhotos(
        photos.embeddings, photos.labels, np.where(photos.labels == 0, 2, 1).astype(np.float32), LABELS
    )
    repeated = EmbeddedPhotos(photos.embeddings[twice], photos.labels[twice], np.ones(len(twice), np.float32), LABELS)

    new = make_photos(200, seed=1)
    odds = [fit_head(made, UNPROVED).logits(new.embeddings[:, 0]) for made in (weighted, repeated)]
    assert np.corrcoef(odds[0].ravel(), odds[1].ravel())[0, 1] > 0.99


def test_copies_of_photos_are_no_further_evidence() -> None:
    photos = make_photos(60)
    copied = EmbeddedPhotos(
        np.repeat(photos.embeddings, 4, axis=1), photos.labels, photos.sample_weight, photos.label_count
    )

    new = make_photos(50, seed=1).embeddings[:, 0]
    np.testing.assert_allclose(
        fit_head(photos, UNPROVED).logits(new), fit_head(copied, UNPROVED).logits(new), atol=1e-3
    )


def test_choice_repeats_to_the_byte() -> None:
    photos = make_photos(90)
    first, second = (choose_head(photos, folds_of(photos)) for _ in range(2))

    assert first.head.weights.tobytes() == second.head.weights.tobytes()
    assert first.head.bias.tobytes() == second.head.bias.tobytes()
    assert nll(first.logits, photos.labels) == nll(second.logits, photos.labels)


def test_separable_photos_get_no_certain_answer() -> None:
    of = np.arange(60) % LABELS
    far = 20 * (np.arange(WIDTH) // 20 == of[:, None]) + np.random.default_rng(0).normal(0, 1, (60, WIDTH))
    photos = EmbeddedPhotos(far[:, None].astype(np.float32), of, np.ones(60, np.float32), LABELS)
    chosen = choose_head(photos, folds_of(photos))

    assert chosen.temperature == pytest.approx(fit_temperature(chosen.logits, photos.labels), rel=0.5)
    assert softmax(chosen.calibrated.logits(photos.embeddings[:, 0])).max() < 0.9999
