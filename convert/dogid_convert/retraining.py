"""The way from a folder of labelled photos to a retrained graph, top down."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.errors import DogidError, UsageError
from dogid_convert import bases, bottlenecks, graph_surgery, head_training
from dogid_convert.backbone import INPUT, Backbone, Floats, Head, with_head
from dogid_convert.bottlenecks import Half
from dogid_convert.dataset import Dataset, LabelledPhoto, find_photos, is_held_out
from dogid_convert.fine_tuning import Samples, Schedule, Tail
from dogid_convert.grouping import folds_of
from dogid_convert.judging import Judged, Judgement, Mistake

MOST_UNREADABLE = 0.05
"""The share of unreadable photos above which a folder is not trained from."""
_VIEWS_FOR_HEAD = 3  # a head has too few weights to learn more from more of them

Progress = Callable[[Iterable[LabelledPhoto]], Iterable[LabelledPhoto]]
Say = Callable[[str], None]


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


@dataclass(frozen=True, slots=True)
class Retrained:
    """All that came out."""

    graph: tf.compat.v1.GraphDef
    dataset: Dataset
    backbone: Backbone
    cut: str
    trained_on: int
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


def retrain(folder: Path, recipe: Recipe, cache: Path, progress: Progress, say: Say) -> Retrained:
    """Return a graph retrained on the photos in folder's sub-folders. Raise DogidError or UsageError."""
    dataset = find_photos(folder)
    _check_labels(recipe, dataset)
    backbone = bases.load(recipe.base, recipe.size)
    cut = _cut(backbone, recipe)
    say(f"{len(dataset.photos)} photos, {len(dataset.labels)} labels; base {backbone.name}, cut at {cut}")

    wanted = bottlenecks.Wanted(backbone, cut, recipe.views, recipe.seed)
    made = bottlenecks.compute(dataset.photos, wanted, cache, progress)
    unreadable = dataset.unreadable + made.unreadable
    _check_readable(unreadable, made.photos, dataset, say)
    dataset = replace(dataset, photos=made.photos)
    data = _data(made, dataset, recipe)

    trainer = _Trainer(backbone, cut, dataset.labels, recipe)
    held = _held_out(data, dataset, say)
    trainer.train(data.only(~held))
    by_chance = Judged("a tenth of the photos, by a hash of their content", trainer.logits(data.values[held, 0]), held)
    folds, always = folds_of(made.photos, recipe.group_by) if recipe.group_by else ([], ())
    by_group = _judged_by_group(trainer, data, folds, say)
    trained_on = ~held | recipe.use_all
    if recipe.use_all or folds:
        say(f"training the final graph on {int(trained_on.sum())} photos")
        trainer.train(data.only(trained_on))

    telling = by_group or by_chance
    temperature = telling.temperature(data.truth)
    return Retrained(
        graph=trainer.graph(temperature),
        dataset=dataset,
        backbone=backbone,
        cut=cut,
        trained_on=int(trained_on.sum()),
        held_out=by_chance.judgement(data.truth, temperature),
        by_group=by_group.judgement(data.truth, temperature) if by_group else None,
        temperature=temperature,
        unreadable=unreadable,
        reused=made.reused,
        groups_always_trained=always,
        mistakes=telling.mistakes(dataset, data.truth, temperature),
    )


class _Trainer:
    """One way to train, with or without fine-tuning."""

    def __init__(self, backbone: Backbone, cut: str, labels: tuple[str, ...], recipe: Recipe) -> None:
        self._backbone, self._labels, self._seed = backbone, len(labels), recipe.seed
        self._tail = Tail(backbone, cut, len(labels), recipe.schedule)
        # Bayes: another prior adds its logarithm to the logits, and the network need not be trained again
        self._prior = np.log([recipe.prior.get(label, 1.0) for label in labels]).astype(np.float32)
        self._fine = recipe.convolutions > 0
        self._constants: dict[str, Floats] = {}
        self._head = Head(np.zeros((backbone.width, len(labels)), np.float32), np.zeros(len(labels), np.float32))

    def train(self, samples: Samples) -> None:
        views = min(samples.values.shape[1], _VIEWS_FOR_HEAD if self._fine else samples.values.shape[1])
        self._tail.forget()
        embeddings = np.concatenate([self._tail.embeddings(samples.values[:, i]) for i in range(views)])
        self._head = head_training.fit(
            embeddings, np.tile(samples.truth, views), np.tile(samples.importance, views), self._labels
        )
        if self._fine:
            self._tail.train(samples, self._head, self._seed)
            self._constants, self._head = self._tail.result()

    def logits(self, values: Half) -> Floats:
        if self._fine:
            return self._tail.logits(values) + self._prior
        return self._tail.embeddings(values) @ self._head.weights + self._head.biases + self._prior

    def graph(self, temperature: float) -> tf.compat.v1.GraphDef:
        changed = graph_surgery.with_constants(self._backbone.graph, dict(self._constants))
        head = Head(self._head.weights, self._head.biases + self._prior)
        return with_head(replace(self._backbone, graph=changed), head.cooled(temperature))


def _data(made: bottlenecks.Bottlenecks, dataset: Dataset, recipe: Recipe) -> _Data:
    truth = np.array([photo.label for photo in made.photos], np.int64)
    weights = np.array([recipe.importance.get(label, 1.0) for label in dataset.labels], np.float32)
    return _Data(made.values, truth, weights[truth])


def _cut(backbone: Backbone, recipe: Recipe) -> str:
    """Return the node up to which the backbone stays as it is."""
    path = graph_surgery.main_path(backbone.graph, INPUT, backbone.embedding)
    return graph_surgery.cut_before(backbone.graph, path, recipe.convolutions) if recipe.convolutions else path[-1]


def _held_out(data: _Data, dataset: Dataset, say: Say) -> NDArray[np.bool_]:
    """Return which photos are for judging only; none where a label would be left without photos."""
    held = np.array([is_held_out(photo.sha256) for photo in dataset.photos])
    if any(not (data.truth[~held] == i).any() for i in range(len(dataset.labels))):
        say("too few photos to hold some out: nothing is judged")
        held[:] = False
    return held


def _judged_by_group(trainer: _Trainer, data: _Data, folds: list[NDArray[np.bool_]], say: Say) -> Judged | None:
    """Return the answers of one network per fold, trained without it; None without folds."""
    if not folds:
        return None
    answers = []
    for number, fold in enumerate(folds, 1):
        say(f"fold {number} of {len(folds)}: training without {int(fold.sum())} photos")
        trainer.train(data.only(~fold))
        answers.append(trainer.logits(data.values[fold, 0]))
    pooled = np.zeros((len(data.truth), answers[0].shape[1]), np.float32)
    for fold, logits in zip(folds, answers, strict=True):
        pooled[fold] = logits
    judged = np.logical_or.reduce(folds)
    return Judged(f"{len(folds)} folds of whole groups", pooled[judged], judged)


def _check_labels(recipe: Recipe, dataset: Dataset) -> None:
    for label in (*recipe.importance, *recipe.prior):
        if label not in dataset.labels:
            raise UsageError(f"no label {label!r} in {dataset.root}: there are {', '.join(dataset.labels)}")


def _check_readable(
    unreadable: tuple[tuple[Path, str], ...], good: tuple[LabelledPhoto, ...], dataset: Dataset, say: Say
) -> None:
    for path, reason in unreadable:
        say(f"skipped {path}: {reason}")
    total = len(good) + len(unreadable)
    if len(unreadable) > MOST_UNREADABLE * total:
        raise DogidError(
            f"{len(unreadable)} of {total} photos in {dataset.root} cannot be read, more than "
            f"{MOST_UNREADABLE:.0%}: mend or delete the ones named above"
        )
    for i, label in enumerate(dataset.labels):
        if not any(photo.label == i for photo in good):
            raise DogidError(f"no readable photo in {dataset.root / label}")
