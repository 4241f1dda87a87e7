"""The way from a folder of labelled photos to a retrained graph, top down."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid_convert.data.dataset import Dataset, LabelledPhoto, find_photos
from dogid_convert.data.manifest import Manifest, manifest_of
from dogid_convert.graph import surgery
from dogid_convert.support.progress import Track, untracked
from dogid_convert.training import base_network, bottlenecks, splits
from dogid_convert.training.backbone import INPUT, Backbone, Floats
from dogid_convert.training.bottlenecks import Half
from dogid_convert.training.early_stopping import Learning
from dogid_convert.training.fine_tuning import Samples, Schedule
from dogid_convert.training.group_folds import folds_of
from dogid_convert.training.holdout import Judged, Judgement, Mistake
from dogid_convert.training.trainer import Trainer, Watched

Progress = Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]]
Say = splits.Say


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the user chose."""

    base: str | None = None
    size: int | None = None
    views: int = 0
    convolutions: int = 0
    """How many of the last ones are fine-tuned; 0 trains the head only."""
    seed: int = 0
    importance: dict[str, float] = field(default_factory=dict)
    """How much a photo of a label counts, where that is not 1."""
    prior: dict[str, float] = field(default_factory=dict)
    """How much likelier a label is in use than among the training photos, where that is not 1."""
    group_by: re.Pattern[str] | None = None
    use_all: bool = False
    """Whether the final graph is trained on the held-out photos, too."""
    schedule: Schedule = Schedule()
    patience: int = 0
    """Epochs without a lower validation loss after which a training ends; 0 never ends it."""


@dataclass(frozen=True, slots=True)
class Retrained:
    """All that came out."""

    graph: tf.compat.v1.GraphDef
    dataset: Dataset
    manifest: Manifest
    backbone: Backbone
    cut: str
    trained_on: int
    stopped_by: int
    """Photos that told when to stop."""
    learning: Learning
    """Of the network that was judged on the held-out photos."""
    held_out: Judgement | None
    """None where the split leaves nothing to judge by."""
    by_group: Judgement | None
    temperature: float
    unreadable: tuple[tuple[Path, str], ...]
    reused: int
    groups_always_trained: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    """On the photos that were judged; by group where that was asked for."""


@dataclass(frozen=True, slots=True)
class _Data:
    values: Half
    truth: NDArray[np.int64]
    importance: Floats

    def only(self, chosen: NDArray[np.bool_]) -> Samples:
        return Samples(self.values[chosen], self.truth[chosen], self.importance[chosen])

    def watched(self, chosen: NDArray[np.bool_], patience: int) -> Watched:
        return Watched(self.values[chosen, 0], self.truth[chosen], patience)


def retrain(
    folder: Path, recipe: Recipe, cache: Path, progress: Progress, say: Say, track: Track = untracked
) -> Retrained:
    """Return a graph retrained on the photos in folder's sub-folders. Raise DogidError or UsageError."""
    dataset = find_photos(folder, track)
    splits.check_labels((*recipe.importance, *recipe.prior), dataset)
    if dataset.loose:
        say(f"{dataset.loose} files in {folder} itself are in no label's folder: not used")
    backbone = base_network.load(recipe.base, recipe.size)
    cut = _cut(backbone, recipe)
    say(f"{len(dataset.photos)} photos, {len(dataset.labels)} labels; base {backbone.name}, cut at {cut}")

    wanted = bottlenecks.Wanted(backbone, cut, recipe.views, recipe.seed)
    made = bottlenecks.compute(dataset.photos, wanted, cache, progress, say)
    unreadable = dataset.unreadable + made.unreadable
    splits.check_readable(unreadable, made.photos, dataset, say)
    manifest = _manifest(dataset, made)
    dataset = replace(dataset, photos=made.photos)
    data = _data(made, dataset, recipe)

    trainer = _trainer(backbone, cut, dataset, recipe)
    held = splits.held_out(data.truth, dataset, say)
    stop_by = splits.stop_by(data.truth, dataset, held, recipe.patience, say)
    patience = recipe.patience if stop_by.any() else 0
    watched = data.watched(stop_by if patience else held, patience)
    learning = trainer.train(data.only(~held & ~stop_by), watched=watched)
    assert learning is not None
    by_chance = Judged("a tenth of the photos, by a hash of their content", trainer.logits(data.values[held, 0]), held)
    folds, always = folds_of(made.photos, recipe.group_by) if recipe.group_by else ([], ())
    by_group = _judged_by_group(trainer, data, folds, stop_by, patience, say)
    trained_on = (~held & ~stop_by) | recipe.use_all
    if recipe.use_all or folds:
        say(f"training the final graph on {int(trained_on.sum())} photos")
        trainer.train(data.only(trained_on), until=learning.kept if patience else None)

    telling = by_group or by_chance
    temperature = telling.temperature(data.truth)
    return Retrained(
        graph=trainer.graph(temperature),
        dataset=dataset,
        manifest=manifest,
        backbone=backbone,
        cut=cut,
        trained_on=int(trained_on.sum()),
        stopped_by=int(stop_by.sum()),
        learning=learning,
        held_out=by_chance.judgement(data.truth, temperature),
        by_group=by_group.judgement(data.truth, temperature) if by_group else None,
        temperature=temperature,
        unreadable=unreadable,
        reused=made.reused,
        groups_always_trained=always,
        mistakes=telling.mistakes(dataset, data.truth, temperature),
    )


def _trainer(backbone: Backbone, cut: str, dataset: Dataset, recipe: Recipe) -> Trainer:
    return Trainer(
        backbone,
        cut,
        prior=np.array([recipe.prior.get(label, 1.0) for label in dataset.labels]),
        fine=recipe.convolutions > 0,
        seed=recipe.seed,
        schedule=recipe.schedule,
    )


def _manifest(dataset: Dataset, made: bottlenecks.Bottlenecks) -> Manifest:
    by_path = {file.path: file.sha256 for file in dataset.files}
    errors = {by_path[path]: reason for path, reason in made.unreadable}
    return manifest_of(dataset.root, dataset.files, dataset.unreadable, errors)


def _data(made: bottlenecks.Bottlenecks, dataset: Dataset, recipe: Recipe) -> _Data:
    truth = np.array([photo.label for photo in made.photos], np.int64)
    weights = np.array([recipe.importance.get(label, 1.0) for label in dataset.labels], np.float32)
    return _Data(made.values, truth, weights[truth])


def _cut(backbone: Backbone, recipe: Recipe) -> str:
    """Return the node up to which the backbone stays as it is."""
    path = surgery.main_path(backbone.graph, INPUT, backbone.embedding)
    return surgery.cut_before(backbone.graph, path, recipe.convolutions) if recipe.convolutions else path[-1]


def _judged_by_group(
    trainer: Trainer,
    data: _Data,
    folds: list[NDArray[np.bool_]],
    stop_by: NDArray[np.bool_],
    patience: int,
    say: Say,
) -> Judged | None:
    """Return the answers of one network per fold, trained without it; None without folds."""
    if not folds:
        return None
    answers = []
    for number, fold in enumerate(folds, 1):
        say(f"fold {number} of {len(folds)}: training without {int(fold.sum())} photos")
        telling = stop_by & ~fold  # a fold's own photos must not tell when to stop, either
        watched = data.watched(telling, patience) if telling.any() else None
        trainer.train(data.only(~fold & ~telling), watched=watched)
        answers.append(trainer.logits(data.values[fold, 0]))
    pooled = np.zeros((len(data.truth), answers[0].shape[1]), np.float32)
    for fold, logits in zip(folds, answers, strict=True):
        pooled[fold] = logits
    judged = np.logical_or.reduce(folds)
    return Judged(f"{len(folds)} folds of whole groups", pooled[judged], judged)
