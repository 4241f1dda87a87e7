import numpy as np
import pytest

from dogid_convert.training.early_stopping import Epoch, Score, Watch, score


def watched(losses: list[float], patience: int, warm_up: int = 0) -> Watch:
    """A training with these validation losses, as far as it goes."""
    watch = Watch(patience, warm_up)
    for number, loss in enumerate(losses):
        watch.saw(Epoch(number, Score(0.0, 1.0), Score(loss, 0.5)))
        if watch.is_over:
            break
    return watch


@pytest.mark.parametrize(
    ("losses", "patience", "kept", "seen"),
    [
        ([3, 2, 1], 1, 2, 3),
        ([3, 2, 2.5, 1], 1, 1, 3),
        ([3, 2, 2.5, 1], 2, 3, 4),
        ([3, 2, 2, 2, 2], 2, 1, 4),
        ([1, 2, 3, 4], 3, 0, 4),
        ([1, 2, 3, 4], 0, 3, 4),
    ],
)
def test_a_training_ends_when_patience_has_run_out_and_keeps_the_best(
    losses: list[float], patience: int, kept: int, seen: int
) -> None:
    found = watched(losses, patience).learning(steps=False)

    assert (found.kept, len(found.epochs)) == (kept, seen)


def test_warming_up_costs_no_patience() -> None:
    assert len(watched([1, 2, 2, 2, 2, 2, 2], patience=2, warm_up=3).epochs) == 6


def test_a_training_that_ran_to_its_end_was_not_stopped() -> None:
    assert not watched([3, 2, 1], 2).learning(steps=False).stopped
    assert watched([1, 2, 3], 2).learning(steps=False).stopped


def test_the_loss_is_the_mean_surprise_in_nats() -> None:
    found = score(np.log(np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)), np.array([0, 1]))

    assert found is not None
    assert found.loss == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert found.accuracy == 1.0
    assert score(np.zeros((0, 2), np.float32), np.zeros(0, np.int64)) is None
