"""Training on one base: its bottlenecks, then the head, and on request the last convolutions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import Dataset, LabelledPhoto
from dogid.quantities import count_of
from dogid_convert.graph import surgery
from dogid_convert.training import bottleneck_cache, bottlenecks, splits
from dogid_convert.training.backbone import INPUT, Backbone
from dogid_convert.training.group_folds import find_groups, weigh_by_group
from dogid_convert.training.near_duplicates import find_near_duplicates
from dogid_convert.training.recipe import Recipe
from dogid_convert.training.splits import Log
from dogid_convert.training.train_and_evaluate import Splits, TrainingData, TrainingOutcome, fine_tune, train_head
from dogid_convert.training.trainer import Trainer

Progress = Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]]


@dataclass(frozen=True, slots=True)
class TrainedBase:
    """A network that was trained on a base, and what it is judged by."""

    backbone: Backbone
    cut: str
    """The node up to which the backbone stays frozen."""
    trainer: Trainer
    """Holds the network itself."""
    dataset: Dataset
    """Without the photos that cannot be decoded."""
    unreadable: tuple[tuple[Path, str], ...]
    """Those photos, and files that could not be read."""
    data: TrainingData
    parts: Splits
    outcome: TrainingOutcome
    clusters: NDArray[np.intp]
    """[photos], the number of each photo's cluster of near-duplicates."""
    group_names: tuple[str, ...]
    """By the groups' numbers, where file names have groups."""

    @property
    def loss(self) -> float:
        """Of the head on photos that it was not fitted to, by cross-validation, in nats; nan where none was judged."""
        return min(self.outcome.chosen.losses, default=np.nan)


def train_on_base(
    backbone: Backbone, dataset: Dataset, recipe: Recipe, cache: Path, progress: Progress, log: Log
) -> TrainedBase:
    """Return what a recipe makes of a base and the photos. Raise DogidError where too many cannot be decoded."""
    cut = _find_cut(backbone, recipe)
    found = f"{count_of(len(dataset.photos), 'photo')}, {count_of(len(dataset.labels), 'label')}"
    log(f"{found}; base {backbone.name}, cut at {cut}")
    computed = _compute_bottlenecks(backbone, cut, dataset, recipe, cache, progress, log)
    unreadable = dataset.unreadable + computed.unreadable
    splits.check_readable(unreadable, computed.photos, dataset, log)
    dataset = replace(dataset, photos=computed.photos)
    labels = np.array([photo.label for photo in dataset.photos], np.int64)
    weights = np.array([recipe.class_weight.get(label, 1.0) for label in dataset.labels], np.float32)
    trainer = _make_trainer(backbone, cut, dataset, recipe)
    clusters = find_near_duplicates(trainer.embed_by_base(computed.values[:, 0]))
    groups, names = (clusters, ()) if recipe.group_by is None else find_groups(computed.photos, recipe.group_by)
    sample_weight = weights[labels] * weigh_by_group(groups, recipe.group_balance)
    data = TrainingData(computed.values, labels, sample_weight, groups)
    parts, patience = _split(labels, dataset, recipe, log)
    outcome = (
        fine_tune(trainer, data, parts, patience, log) if recipe.convolutions else train_head(trainer, data, parts)
    )
    return TrainedBase(backbone, cut, trainer, dataset, unreadable, data, parts, outcome, clusters, names)


def _split(labels: NDArray[np.int64], dataset: Dataset, recipe: Recipe, log: Log) -> tuple[Splits, int]:
    """Return which photos have which part, and the patience of early stopping."""
    if dataset.is_divided or recipe.convolutions:
        held_out = splits.select_held_out(labels, dataset, log)
    else:
        held_out = np.zeros(len(labels), bool)
    patience = recipe.patience if recipe.convolutions else 0
    validation = splits.select_validation(labels, dataset, held_out, patience, log)
    return Splits(held_out, validation, dataset.is_divided, recipe.use_all, recipe.group_by is not None), patience


def _compute_bottlenecks(
    backbone: Backbone, cut: str, dataset: Dataset, recipe: Recipe, cache: Path, progress: Progress, log: Log
) -> bottlenecks.Bottlenecks:
    spec = bottlenecks.BottleneckSpec(backbone, cut, recipe.augmentations, recipe.seed)
    bottleneck_cache.trim(cache, recipe.cache_size)  # a run that was killed has left what it had written
    try:
        computed = bottlenecks.compute_bottlenecks(dataset.photos, spec, cache, progress, log)
    finally:  # after an error or a Ctrl-C, too
        bottleneck_cache.trim(cache, recipe.cache_size)
    if computed.reused:
        log(f"{computed.reused} of {len(computed.photos)} photos' bottlenecks were in {cache}")
    return computed


def _make_trainer(backbone: Backbone, cut: str, dataset: Dataset, recipe: Recipe) -> Trainer:
    return Trainer(
        backbone,
        cut,
        label_count=len(dataset.labels),
        fine=recipe.convolutions > 0,
        seed=recipe.seed,
        schedule=recipe.schedule,
    )


def _find_cut(backbone: Backbone, recipe: Recipe) -> str:
    path = surgery.find_main_path(backbone.graph, INPUT, backbone.embedding)
    return surgery.find_cut(backbone.graph, path, recipe.convolutions) if recipe.convolutions else path[-1]
