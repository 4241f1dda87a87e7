"""Early stopping at close range: a schedule that overshoots, photos half of which have the wrong label."""

import numpy as np
import pytest

from dogid_convert.quiet import load_tensorflow

load_tensorflow()

import tensorflow as tf  # noqa: E402

from dogid_convert import bases, graph_surgery  # noqa: E402
from dogid_convert.backbone import runner  # noqa: E402
from dogid_convert.fine_tuning import Samples, Schedule  # noqa: E402
from dogid_convert.learning import Score, score  # noqa: E402
from dogid_convert.trainer import Trainer, Watched  # noqa: E402
from tests.convert.training_material import SIDE, small_graph  # noqa: E402

Material = tuple[Trainer, Samples, Watched]


def material(*, fine: bool, patience: int) -> Material:
    tf.config.experimental.enable_op_determinism()
    backbone = bases.load(str(small_graph()))
    path = graph_surgery.main_path(backbone.graph, "input", backbone.embedding)
    cut = graph_surgery.cut_before(backbone.graph, path, 2) if fine else path[-1]
    rng = np.random.default_rng(0)
    pixels = rng.uniform(-1, 1, (48, SIDE, SIDE, 3)).astype(np.float32)
    truth = (np.arange(48) % 3).astype(np.int64)
    pixels[truth == 1, ..., 0] += rng.uniform(-0.3, 1, 16)[:, None, None]  # tells label 1, more or less
    values = runner(backbone, cut)(pixels).astype(np.float16)
    schedule = Schedule(epochs=30, rate=0.01, batch=8, memory=0.5)
    trainer = Trainer(backbone, cut, prior=np.ones(3, np.float32), fine=fine, seed=0, schedule=schedule)
    samples = Samples(values[:32, None], truth[:32], np.ones(32, np.float32))
    return trainer, samples, Watched(values[32:], truth[32:], patience)


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
