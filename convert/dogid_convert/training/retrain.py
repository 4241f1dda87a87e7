"""Retraining a graph on a folder of labelled photos."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import Dataset, LabelledPhoto, find_photos
from dogid_convert.data.manifest import Manifest, make_manifest
from dogid_convert.graph import surgery
from dogid_convert.support.progress import Track, untracked
from dogid_convert.training import base_network, bottleneck_cache, bottlenecks, splits
from dogid_convert.training.backbone import INPUT, Backbone, Floats
from dogid_convert.training.bottleneck_cache import Half
from dogid_convert.training.early_stopping import TrainingHistory
from dogid_convert.training.fine_tuning import Samples, Schedule
from dogid_convert.training.group_folds import make_group_folds
from dogid_convert.training.holdout import HeldOutEvaluation, HeldOutPredictions, Misclassification
from dogid_convert.training.trainer import Trainer, ValidationSet

Progress = Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]]
Log = splits.Log

_RANDOM_SPLIT = "a tenth of the photos, by a hash of their content"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The user's choices."""

    base: str | None = None
    size: int | None = None
    augmentations: int = 0
    convolutions: int = 0
    """How many of the last ones are fine-tuned; 0 trains the head only."""
    seed: int = 0
    class_weight: dict[str, float] = field(default_factory=dict)
    """How much a photo of a label counts, where that is not 1."""
    prior: dict[str, float] = field(default_factory=dict)
    """How much likelier a label is in use than among the training photos, where that is not 1."""
    group_by: re.Pattern[str] | None = None
    use_all: bool = False
    """Whether the final graph is trained on the held-out photos, too."""
    schedule: Schedule = Schedule()
    patience: int = 0
    """Epochs without a lower validation loss after which a training ends; 0 never ends it."""
    cache_size: int = bottleneck_cache.DEFAULT_SIZE
    """Bytes."""


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """A retrained graph, and all that its report needs."""

    graph: tf.compat.v1.GraphDef
    dataset: Dataset
    manifest: Manifest
    backbone: Backbone
    cut: str
    trained_on: int
    validated_on: int
    """Photos for early stopping."""
    history: TrainingHistory
    """Of the network that was evaluated on the held-out photos."""
    held_out: HeldOutEvaluation | None
    """None where the split leaves nothing to evaluate on."""
    by_group: HeldOutEvaluation | None
    temperature: float
    unreadable: tuple[tuple[Path, str], ...]
    groups_always_trained: tuple[str, ...]
    misclassified: tuple[Misclassification, ...]
    """On the photos that were evaluated; by group where requested."""


@dataclass(frozen=True, slots=True)
class _Data:
    values: Half
    labels: NDArray[np.int64]
    sample_weight: Floats

    def select(self, chosen: NDArray[np.bool_]) -> Samples:
        return Samples(self.values[chosen], self.labels[chosen], self.sample_weight[chosen])

    def select_validation(self, chosen: NDArray[np.bool_], patience: int) -> ValidationSet:
        return ValidationSet(self.values[chosen, 0], self.labels[chosen], patience)


def retrain(
    folder: Path, recipe: Recipe, cache: Path, progress: Progress, log: Log, track: Track = untracked
) -> RetrainResult:
    """Return a graph retrained on the photos in folder's sub-folders. Raise DogidError or UsageError."""
    dataset = find_photos(folder, track)
    splits.check_labels((*recipe.class_weight, *recipe.prior), dataset)
    splits.log_left_out(dataset, log)
    backbone = base_network.load(recipe.base, recipe.size)
    cut = _find_cut(backbone, recipe)
    log(f"{len(dataset.photos)} photos, {len(dataset.labels)} labels; base {backbone.name}, cut at {cut}")

    spec = bottlenecks.BottleneckSpec(backbone, cut, recipe.augmentations, recipe.seed)
    bottleneck_cache.trim(cache, recipe.cache_size)  # a run that was killed has left what it had written
    try:
        computed = bottlenecks.compute_bottlenecks(dataset.photos, spec, cache, progress, log)
    finally:  # after an error or a Ctrl-C, too
        bottleneck_cache.trim(cache, recipe.cache_size)
    if computed.reused:
        log(f"{computed.reused} of {len(computed.photos)} photos' bottlenecks were in {cache}")
    unreadable = dataset.unreadable + computed.unreadable
    splits.check_readable(unreadable, computed.photos, dataset, log)
    manifest = _make_manifest(dataset, computed)
    dataset = replace(dataset, photos=computed.photos)
    data = _make_data(computed, dataset, recipe)

    trainer = _make_trainer(backbone, cut, dataset, recipe)
    held_out = splits.select_held_out(data.labels, dataset, log)
    for_validation = splits.select_validation(data.labels, dataset, held_out, recipe.patience, log)
    patience = recipe.patience if for_validation.any() else 0
    validation = data.select_validation(for_validation if patience else held_out, patience)
    history = trainer.train(data.select(~held_out & ~for_validation), validation=validation)
    assert history is not None
    at_random = HeldOutPredictions(_RANDOM_SPLIT, trainer.logits(data.values[held_out, 0]), held_out)
    folds, always_trained = make_group_folds(computed.photos, recipe.group_by) if recipe.group_by else ([], ())
    by_group = _predict_by_group(trainer, data, folds, for_validation, patience, log)
    trained_on = (~held_out & ~for_validation) | recipe.use_all
    if recipe.use_all or folds:
        log(f"training the final graph on {int(trained_on.sum())} photos")
        trainer.train(data.select(trained_on), stop_after=history.kept if patience else None)

    predictions = by_group or at_random
    temperature = predictions.fit_temperature(data.labels)
    return RetrainResult(
        graph=trainer.graph(temperature),
        dataset=dataset,
        manifest=manifest,
        backbone=backbone,
        cut=cut,
        trained_on=int(trained_on.sum()),
        validated_on=int(for_validation.sum()),
        history=history,
        held_out=at_random.evaluate(data.labels, temperature),
        by_group=by_group.evaluate(data.labels, temperature) if by_group else None,
        temperature=temperature,
        unreadable=unreadable,
        groups_always_trained=always_trained,
        misclassified=predictions.find_misclassified(dataset, data.labels, temperature),
    )


def _make_trainer(backbone: Backbone, cut: str, dataset: Dataset, recipe: Recipe) -> Trainer:
    return Trainer(
        backbone,
        cut,
        prior=np.array([recipe.prior.get(label, 1.0) for label in dataset.labels]),
        fine=recipe.convolutions > 0,
        seed=recipe.seed,
        schedule=recipe.schedule,
    )


def _make_manifest(dataset: Dataset, computed: bottlenecks.Bottlenecks) -> Manifest:
    by_path = {file.path: file.sha256 for file in dataset.files}
    errors = {by_path[path]: reason for path, reason in computed.unreadable}
    return make_manifest(dataset.root, dataset.files, dataset.unreadable, errors)


def _make_data(computed: bottlenecks.Bottlenecks, dataset: Dataset, recipe: Recipe) -> _Data:
    labels = np.array([photo.label for photo in computed.photos], np.int64)
    weights = np.array([recipe.class_weight.get(label, 1.0) for label in dataset.labels], np.float32)
    return _Data(computed.values, labels, weights[labels])


def _find_cut(backbone: Backbone, recipe: Recipe) -> str:
    """Return the node up to which the backbone stays frozen."""
    path = surgery.find_main_path(backbone.graph, INPUT, backbone.embedding)
    return surgery.find_cut(backbone.graph, path, recipe.convolutions) if recipe.convolutions else path[-1]


def _predict_by_group(
    trainer: Trainer,
    data: _Data,
    folds: list[NDArray[np.bool_]],
    for_validation: NDArray[np.bool_],
    patience: int,
    log: Log,
) -> HeldOutPredictions | None:
    """Return the predictions for each fold of a network trained without it; None without folds."""
    if not folds:
        return None
    logits_by_fold = []
    for number, fold in enumerate(folds, 1):
        log(f"fold {number} of {len(folds)}: training without {int(fold.sum())} photos")
        stopping = for_validation & ~fold  # nor may a fold's own photos decide when to stop
        validation = data.select_validation(stopping, patience) if stopping.any() else None
        trainer.train(data.select(~fold & ~stopping), validation=validation)
        logits_by_fold.append(trainer.logits(data.values[fold, 0]))
    pooled = np.zeros((len(data.labels), logits_by_fold[0].shape[1]), np.float32)
    for fold, logits in zip(folds, logits_by_fold, strict=True):
        pooled[fold] = logits
    held_out = np.logical_or.reduce(folds)
    return HeldOutPredictions(f"{len(folds)} folds of whole groups", pooled[held_out], held_out)
