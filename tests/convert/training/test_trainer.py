"""Early stopping at close range: a schedule that overshoots, photos half of which have the wrong label."""

import numpy as np
import pytest

from dogid_convert.support.mute_stderr import load_tensorflow

load_tensorflow()


from dogid_convert.training.early_stopping import Score, score  # noqa: E402
from dogid_convert.training.trainer import Trainer, Watched  # noqa: E402
from tests.convert.trainer_material import material  # noqa: E402


def on_watched(trainer: Trainer, watched: Watched) -> Score:
    found = score(trainer.logits(watched.values), watched.truth)
    assert found is not None
    return found


@pytest.mark.parametrize("fine", [True, False])
def test_the_weights_that_answer_are_the_best_ones_seen(fine: bool) -> None:
    trainer, samples, watched = material(fine=fine, patience=3)
    learning = trainer.train(samples, watched=watched)

    assert learning is not None
    losses = {epoch.number: epoch.validation.loss for epoch in learning.epochs if epoch.validation}
    assert learning.stopped
    assert learning.kept == min(losses, key=lambda number: losses[number])
    assert learning.kept < learning.epochs[-1].number
    assert losses[learning.epochs[-1].number] > losses[learning.kept] * 1.001
    assert on_watched(trainer, watched).loss == pytest.approx(losses[learning.kept], rel=1e-5)


@pytest.mark.parametrize("fine", [True, False])
def test_trained_until_that_epoch_the_answers_are_the_same(fine: bool) -> None:
    trainer, samples, watched = material(fine=fine, patience=3)
    learning = trainer.train(samples, watched=watched)
    assert learning is not None
    stopped = trainer.logits(watched.values)

    trainer.train(samples, until=learning.kept)

    np.testing.assert_allclose(trainer.logits(watched.values), stopped, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fine", [True, False])
def test_watching_without_patience_changes_nothing(fine: bool) -> None:
    trainer, samples, watched = material(fine=fine, patience=0)
    learning = trainer.train(samples, watched=watched)
    followed = trainer.logits(watched.values)

    trainer.train(samples)

    assert learning is not None
    assert not learning.stopped
    assert learning.kept == learning.epochs[-1].number
    assert trainer.logits(watched.values).tobytes() == followed.tobytes()
