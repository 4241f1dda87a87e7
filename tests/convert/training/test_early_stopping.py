import numpy as np
import pytest

from dogid_convert.training.early_stopping import EarlyStopping, Epoch, Metrics, TrainingHistory, compute_metrics


def train_with_losses(losses: list[float], patience: int, warm_up: int = 0) -> EarlyStopping:
    """Record epochs with these validation losses until it stops."""
    stopping = EarlyStopping(patience, warm_up)
    for number, loss in enumerate(losses):
        stopping.record(Epoch(number, Metrics(0.0, 1.0), Metrics(loss, 0.5)))
        if stopping.should_stop:
            break
    return stopping


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
def test_stops_after_patience_and_keeps_best_epoch(losses: list[float], patience: int, kept: int, seen: int) -> None:
    history = train_with_losses(losses, patience).history()

    assert (history.kept, len(history.epochs)) == (kept, seen)


def test_warm_up_epochs_use_no_patience() -> None:
    assert len(train_with_losses([1, 2, 2, 2, 2, 2, 2], patience=2, warm_up=3).epochs) == 6


def test_only_an_early_end_counts_as_stopped() -> None:
    assert not train_with_losses([3, 2, 1], 2).history().stopped
    assert train_with_losses([1, 2, 3], 2).history().stopped


def test_record_returns_whether_an_epoch_is_the_best() -> None:
    stopping = EarlyStopping(patience=2)
    losses = [3.0, 2.0, 2.0, 1.0]

    found = [stopping.record(Epoch(at, Metrics(0.0, 1.0), Metrics(loss, 0.5))) for at, loss in enumerate(losses)]
    assert found == [True, True, False, True]


def test_history_without_validation_keeps_the_last_epoch() -> None:
    stopping = EarlyStopping(patience=0)
    epochs = tuple(Epoch(number, Metrics(1.0, 0.5), None) for number in range(3))
    for epoch in epochs:
        stopping.record(epoch)

    assert stopping.history() == TrainingHistory(epochs, kept=2, patience=0, stopped=False)


def test_loss_is_mean_nll_in_nats() -> None:
    metrics = compute_metrics(np.log(np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)), np.array([0, 1]))

    assert metrics is not None
    assert metrics.loss == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert metrics.accuracy == 1.0
    assert compute_metrics(np.zeros((0, 2), np.float32), np.zeros(0, np.int64)) is None
