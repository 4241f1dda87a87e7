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
from dogid_convert.training.backbone import INPUT, Backbone
from dogid_convert.training.early_stopping import TrainingHistory
from dogid_convert.training.fine_tuning import Schedule
from dogid_convert.training.group_folds import ALWAYS_TRAINED, deal_folds, find_groups
from dogid_convert.training.head_choice import ChosenHead
from dogid_convert.training.holdout import HeldOutEvaluation, Misclassification
from dogid_convert.training.near_duplicates import find_near_duplicates
from dogid_convert.training.train_and_evaluate import Splits, TrainingData, fine_tune, train_head
from dogid_convert.training.trainer import Trainer

Progress = Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]]
Log = splits.Log


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
    chosen: ChosenHead
    """The final head, or what the final fine-tuning began with."""
    history: TrainingHistory | None
    """Of fine-tuning the network that was evaluated on the held-out photos."""
    held_out: HeldOutEvaluation | None
    """None where the split leaves nothing to evaluate on."""
    by_group: HeldOutEvaluation | None
    temperature: float
    unreadable: tuple[tuple[Path, str], ...]
    groups_always_trained: tuple[str, ...]
    misclassified: tuple[Misclassification, ...]
    """On the photos that were evaluated; by group where requested."""


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
    labels = np.array([photo.label for photo in dataset.photos], np.int64)
    weights = np.array([recipe.class_weight.get(label, 1.0) for label in dataset.labels], np.float32)
    prior = np.array([recipe.prior.get(label, 1.0) for label in dataset.labels], np.float32)
    trainer = _make_trainer(backbone, cut, dataset, recipe)
    groups, names = _find_groups(trainer, computed, recipe)
    data = TrainingData(computed.values, labels, weights[labels], groups)
    held_out = splits.select_held_out(labels, dataset, log)
    patience = recipe.patience if recipe.convolutions else 0
    validation = splits.select_validation(labels, dataset, held_out, patience, log)
    parts = Splits(held_out, validation, recipe.use_all, recipe.group_by is not None)
    if recipe.convolutions:
        outcome = fine_tune(trainer, data, parts, patience, log)
    else:
        outcome = train_head(trainer, data, parts)
    judged = outcome.by_group or outcome.held_out
    return RetrainResult(
        graph=trainer.graph(outcome.temperature, prior),
        dataset=dataset,
        manifest=manifest,
        backbone=backbone,
        cut=cut,
        trained_on=int(parts.final.sum()),
        validated_on=int(validation.sum()),
        chosen=outcome.chosen,
        history=outcome.history,
        held_out=outcome.held_out.evaluate(labels, prior),
        by_group=outcome.by_group.evaluate(labels, prior) if outcome.by_group else None,
        temperature=outcome.temperature,
        unreadable=unreadable,
        groups_always_trained=_name_always_trained(data, names) if recipe.group_by else (),
        misclassified=judged.find_misclassified(dataset, labels, prior),
    )


def _make_trainer(backbone: Backbone, cut: str, dataset: Dataset, recipe: Recipe) -> Trainer:
    return Trainer(
        backbone,
        cut,
        label_count=len(dataset.labels),
        fine=recipe.convolutions > 0,
        seed=recipe.seed,
        schedule=recipe.schedule,
    )


def _make_manifest(dataset: Dataset, computed: bottlenecks.Bottlenecks) -> Manifest:
    by_path = {file.path: file.sha256 for file in dataset.files}
    errors = {by_path[path]: reason for path, reason in computed.unreadable}
    return make_manifest(dataset.root, dataset.files, dataset.unreadable, errors)


def _find_cut(backbone: Backbone, recipe: Recipe) -> str:
    """Return the node up to which the backbone stays frozen."""
    path = surgery.find_main_path(backbone.graph, INPUT, backbone.embedding)
    return surgery.find_cut(backbone.graph, path, recipe.convolutions) if recipe.convolutions else path[-1]


def _find_groups(
    trainer: Trainer, computed: bottlenecks.Bottlenecks, recipe: Recipe
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Return the number of each photo's group, and the groups' names where file names have them."""
    if recipe.group_by is not None:
        return find_groups(computed.photos, recipe.group_by)
    return find_near_duplicates(trainer.embed_by_base(computed.values[:, 0])), ()


def _name_always_trained(data: TrainingData, names: tuple[str, ...]) -> tuple[str, ...]:
    always = deal_folds(data.labels, data.groups) == ALWAYS_TRAINED
    return tuple(names[number] for number in np.unique(data.groups[always]))
