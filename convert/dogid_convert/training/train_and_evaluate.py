"""Training the graph that is written, and networks like it that are evaluated on photos they have not seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.temperature_scaling import cross_fit_temperatures, fit_temperature
from dogid_convert.training.bottleneck_cache import Half
from dogid_convert.training.early_stopping import TrainingHistory
from dogid_convert.training.fine_tuning import Samples
from dogid_convert.training.group_folds import ALWAYS_TRAINED, FOLDS, deal_folds
from dogid_convert.training.head import Floats
from dogid_convert.training.head_choice import ChosenHead
from dogid_convert.training.holdout import HeldOutPredictions
from dogid_convert.training.splits import Log
from dogid_convert.training.trainer import Trainer, Training, ValidationSet

_RANDOM_SPLIT = "a tenth of the photos, by a hash of their content"
OWN_SPLIT = "the photos in test/ and val/"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """All photos, as the layers behind the cut see them."""

    values: Half
    """[photos, 1 + augmentations, ...] at the cut."""
    labels: NDArray[np.int64]
    sample_weight: Floats
    groups: NDArray[np.intp]
    """[photos], the number of each photo's source, or of its cluster of near-duplicates."""

    def select(self, chosen: NDArray[np.bool_]) -> Samples:
        """Return the photos of a mask [photos]."""
        return Samples(self.values[chosen], self.labels[chosen], self.sample_weight[chosen], self.groups[chosen])

    def select_validation(self, chosen: NDArray[np.bool_], patience: int) -> ValidationSet:
        """Return the photos of a mask [photos] as a validation set."""
        return ValidationSet(self.values[chosen, 0], self.labels[chosen], patience)


@dataclass(frozen=True, slots=True)
class Splits:
    """Which photos have which part."""

    held_out: NDArray[np.bool_]
    """[photos], to be evaluated on."""
    validation: NDArray[np.bool_]
    """[photos], for early stopping."""
    divided: bool
    """Whether the held-out photos are those that the data set's author has put apart."""
    use_all: bool
    """Whether the final graph is trained on all photos."""
    by_group: bool
    """Whether to evaluate by folds of whole groups, too."""

    @property
    def trained(self) -> NDArray[np.bool_]:
        """[photos], those that the network evaluated on the held-out ones is trained on."""
        return ~self.held_out & ~self.validation

    @property
    def final(self) -> NDArray[np.bool_]:
        """[photos], those that the final graph is trained on."""
        return self.trained | self.use_all


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What a training is judged by; the trainer holds the network itself."""

    chosen: ChosenHead
    """The final head, or what the final fine-tuning began with."""
    temperature: float
    """Of the final graph."""
    history: TrainingHistory | None
    """Of fine-tuning the network that was evaluated on the held-out photos."""
    held_out: HeldOutPredictions | None
    """None where the predictions are those by group."""
    by_group: HeldOutPredictions | None


def train_head(trainer: Trainer, data: TrainingData, splits: Splits) -> TrainingOutcome:
    """Train the head alone, on all photos that are not held out.

    It is judged on those, or, where there are none, by cross-validation: every photo once, by a head that was not
    fitted to it. So the final head learns from all photos. The temperature is that of cross-validation.
    """
    trained = splits.trained
    chosen = trainer.train(data.select(trained)).chosen
    crossed = _cross_validated(data, splits, chosen)
    by_group = crossed if splits.by_group else None
    if not splits.divided:
        return TrainingOutcome(chosen, chosen.temperature, None, None if by_group else crossed, by_group)
    logits = trainer.logits(data.values[splits.held_out, 0])
    held_out = HeldOutPredictions(OWN_SPLIT, logits, np.full(len(logits), chosen.temperature), splits.held_out)
    if splits.use_all:
        chosen = trainer.train(data.select(splits.final)).chosen
    return TrainingOutcome(chosen, chosen.temperature, None, held_out, by_group)


def _cross_validated(data: TrainingData, splits: Splits, chosen: ChosenHead) -> HeldOutPredictions:
    """Return the predictions of cross-validation, which those of photos that are always trained on are not among."""
    judged = np.zeros_like(splits.trained)
    judged[splits.trained] = chosen.judged
    return HeldOutPredictions(_name_folds(data, splits), chosen.logits, chosen.temperatures, judged)


def fine_tune(trainer: Trainer, data: TrainingData, splits: Splits, patience: int, log: Log) -> TrainingOutcome:
    """Train convolutions, too; the temperature is fitted to the photos that are evaluated."""
    patience = patience if splits.validation.any() else 0
    validation = data.select_validation(splits.validation if patience else splits.held_out, patience)
    evaluated = trainer.train(data.select(splits.trained), validation=validation)
    history = evaluated.history
    assert history is not None
    logits, labels = trainer.logits(data.values[splits.held_out, 0]), data.labels[splits.held_out]
    temperatures = cross_fit_temperatures(logits, labels, np.arange(len(labels)) % FOLDS)
    split = OWN_SPLIT if splits.divided else _RANDOM_SPLIT
    held_out = HeldOutPredictions(split, logits, temperatures, splits.held_out)
    by_group = _predict_by_group(trainer, data, splits, patience, log) if splits.by_group else None
    final: Training = evaluated
    if splits.use_all or splits.by_group:
        log(f"training the final graph on {int(splits.final.sum())} photos")
        final = trainer.train(data.select(splits.final), stop_after=history.kept if patience else None)
    judged = by_group or held_out
    temperature = fit_temperature(judged.logits, data.labels[judged.held_out]) if judged.held_out.any() else 1.0
    return TrainingOutcome(final.chosen, temperature, history, held_out, by_group)


def _predict_by_group(
    trainer: Trainer, data: TrainingData, splits: Splits, patience: int, log: Log
) -> HeldOutPredictions:
    """Return the predictions for each fold of a network trained without it."""
    folds = deal_folds(data.labels, data.groups)
    numbers = np.unique(folds[folds != ALWAYS_TRAINED])
    logits_by_fold = []
    for number in numbers:
        inside = folds == number
        log(f"fold {number + 1} of {len(numbers)}: training without {int(inside.sum())} photos")
        stopping = splits.validation & ~inside  # nor may a fold's own photos decide when to stop
        # a label whose other photos are in the fold keeps those that it can be trained on
        stopping &= np.isin(data.labels, data.labels[~inside & ~stopping])
        validation = data.select_validation(stopping, patience) if stopping.any() else None
        trainer.train(data.select(~inside & ~stopping), validation=validation)
        logits_by_fold.append(trainer.logits(data.values[inside, 0]))
    pooled = np.zeros((len(data.labels), logits_by_fold[0].shape[1]), np.float32)
    for number, logits in zip(numbers, logits_by_fold, strict=True):
        pooled[folds == number] = logits
    held_out = folds != ALWAYS_TRAINED
    temperatures = cross_fit_temperatures(pooled[held_out], data.labels[held_out], folds[held_out])
    return HeldOutPredictions(_name_folds(data, splits), pooled[held_out], temperatures, held_out)


def _name_folds(data: TrainingData, splits: Splits) -> str:
    folds = deal_folds(data.labels[splits.trained], data.groups[splits.trained])
    judged = folds != ALWAYS_TRAINED
    always = int((~judged).sum())
    named = f"{len(np.unique(folds[judged]))} folds" + (
        " of whole groups"
        if splits.by_group
        else ", each photo judged once by a model trained on neither it nor its near-duplicates"
    )
    return f"{named}; {always} of {len(folds)} photos are always trained on and not judged" if always else named
