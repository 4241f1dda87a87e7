"""Training and early stopping, with a learning rate that overshoots and photos half of which have the wrong label."""

import numpy as np
import pytest

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()


from dogid_convert.training.early_stopping import Metrics, compute_metrics  # noqa: E402
from dogid_convert.training.trainer import Trainer, ValidationSet  # noqa: E402
from tests.convert.trainer_material import make_trainer  # noqa: E402


def metrics_on(trainer: Trainer, validation: ValidationSet) -> Metrics:
    found = compute_metrics(trainer.logits(validation.values), validation.labels)
    assert found is not None
    return found


def test_early_stopping_predicts_by_best_weights() -> None:
    trainer, samples, validation = make_trainer(fine=True, patience=3)
    history = trainer.train(samples, validation=validation).history

    assert history is not None
    losses = {epoch.number: epoch.validation.loss for epoch in history.epochs if epoch.validation}
    assert history.stopped
    assert history.kept == min(losses, key=lambda number: losses[number])
    assert history.kept < history.epochs[-1].number
    assert losses[history.epochs[-1].number] > losses[history.kept] * 1.001
    assert metrics_on(trainer, validation).loss == pytest.approx(losses[history.kept], rel=1e-5)


def test_stop_after_reproduces_early_stopping() -> None:
    trainer, samples, validation = make_trainer(fine=True, patience=3)
    history = trainer.train(samples, validation=validation).history
    assert history is not None
    stopped = trainer.logits(validation.values)

    trainer.train(samples, stop_after=history.kept)

    np.testing.assert_allclose(trainer.logits(validation.values), stopped, rtol=1e-5, atol=1e-5)


def test_validation_without_patience_changes_nothing() -> None:
    trainer, samples, validation = make_trainer(fine=True, patience=0)
    history = trainer.train(samples, validation=validation).history
    followed = trainer.logits(validation.values)

    trainer.train(samples)

    assert history is not None
    assert not history.stopped
    assert history.kept == history.epochs[-1].number
    assert trainer.logits(validation.values).tobytes() == followed.tobytes()
