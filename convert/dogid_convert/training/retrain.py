"""Retraining a graph on a folder of labelled photos."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import Dataset
from dogid.file_names import join_names
from dogid.learning.temperature_scaling import is_at_bound
from dogid.model.training_embeddings import TrainingEmbeddings, limit_photos
from dogid_convert.data.manifest import Manifest, make_manifest
from dogid_convert.training import base_names, base_network, splits
from dogid_convert.training.backbone import Backbone
from dogid_convert.training.base_choice import predict_by_best_of_others
from dogid_convert.training.early_stopping import TrainingHistory
from dogid_convert.training.few_photos import describe_few_photos
from dogid_convert.training.group_folds import ALWAYS_TRAINED, deal_folds
from dogid_convert.training.head_choice import ChosenHead
from dogid_convert.training.holdout import HeldOutEvaluation, Misclassification
from dogid_convert.training.label_advice import describe_labels
from dogid_convert.training.near_duplicates import NearDuplicates, count_known, describe_clusters
from dogid_convert.training.recipe import Recipe
from dogid_convert.training.splits import Log
from dogid_convert.training.train_and_evaluate import TrainingOutcome
from dogid_convert.training.trained_base import Progress, TrainedBase, train_on_base


@dataclass(frozen=True, slots=True)
class BaseTrial:
    """How well a head does on the embeddings of one base."""

    backbone: Backbone
    loss: float
    """By cross-validation, in nats; nan where nothing was judged."""


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """A retrained graph, and all that its report needs."""

    graph: tf.compat.v1.GraphDef
    dataset: Dataset
    manifest: Manifest
    backbone: Backbone
    trials: tuple[BaseTrial, ...]
    """The bases that were compared, in the order in which they were tried."""
    cut: str
    trained_on: dict[str, int]
    """Photos per label."""
    validated_on: int
    """Photos for early stopping."""
    chosen: ChosenHead
    """The final head, or what the final fine-tuning began with."""
    history: TrainingHistory | None
    """Of fine-tuning the network that was evaluated on the held-out photos."""
    held_out: HeldOutEvaluation | None
    """None where nothing could be evaluated, or only by group."""
    by_group: HeldOutEvaluation | None
    temperature: float
    unreadable: tuple[tuple[Path, str], ...]
    groups_always_trained: tuple[str, ...]
    misclassified: tuple[Misclassification, ...]
    """On the photos that were evaluated; by group where requested."""
    embeddings: TrainingEmbeddings
    near_duplicates: NearDuplicates
    advice: tuple[str, ...]
    """What the photos are too few for, in sentences."""


def retrain(dataset: Dataset, recipe: Recipe, cache: Path, progress: Progress, log: Log) -> RetrainResult:
    """Return a graph retrained on a data set's photos. Raise DogidError or UsageError."""
    splits.log_left_out(dataset, log)
    label_advice = describe_labels(dataset.labels)
    for sentence in label_advice:  # now: who mends it need not wait for the end
        log(sentence)
    bases = base_names.find_bases(recipe.base)
    backbones = base_network.drop_repeats([base_network.load(name, recipe.size) for name in bases])
    trained, trials = _train_best(backbones, dataset, recipe, cache, progress, log)
    outcome, dataset_used, labels = trained.outcome, trained.dataset, trained.data.labels
    prior = np.array([recipe.prior.get(label, 1.0) for label in dataset.labels], np.float32)
    judged = outcome.by_group or outcome.held_out
    held_out = outcome.held_out.evaluate(labels, prior) if outcome.held_out else None
    by_group = outcome.by_group.evaluate(labels, prior, trained.data.groups) if outcome.by_group else None
    near_duplicates = describe_clusters(dataset_used, trained.clusters, _find_unjudged(trained, recipe))
    advice = describe_few_photos(dataset_used.counts(), by_group or held_out, near_duplicates.always_trained)
    groups_always_trained = _name_always_trained(trained) if recipe.group_by else ()
    if groups_always_trained:
        advice += (f"groups that are always trained on and not judged: {join_names(groups_always_trained)}",)
    if is_at_bound(outcome.temperature):
        advice += (f"the temperature is at its bound, {outcome.temperature:g}: probabilities are not calibrated",)
    advice += _describe_known(trained)
    for sentence in advice:
        log(sentence)
    return RetrainResult(
        graph=trained.trainer.graph(outcome.temperature, prior),
        dataset=dataset_used,
        manifest=_make_manifest(dataset, trained),
        backbone=trained.backbone,
        trials=trials,
        cut=trained.cut,
        trained_on=_count_by_label(dataset_used, trained.parts.final),
        validated_on=int(trained.parts.validation.sum()),
        chosen=outcome.chosen,
        history=outcome.history,
        held_out=held_out,
        by_group=by_group,
        temperature=outcome.temperature,
        unreadable=trained.unreadable,
        groups_always_trained=groups_always_trained,
        misclassified=judged.find_misclassified(dataset_used, labels, prior) if judged else (),
        embeddings=_keep_embeddings(trained, log, fine=recipe.convolutions > 0),
        near_duplicates=near_duplicates,
        advice=label_advice + advice,
    )


def _train_best(
    backbones: list[Backbone], dataset: Dataset, recipe: Recipe, cache: Path, progress: Progress, log: Log
) -> tuple[TrainedBase, tuple[BaseTrial, ...]]:
    """Return what the recipe makes of the base whose head does best by cross-validation, and how all did."""
    if len(backbones) == 1:
        trained = train_on_base(backbones[0], dataset, recipe, cache, progress, log)
        return trained, (BaseTrial(trained.backbone, trained.loss),)
    heads_only = replace(recipe, convolutions=0, augmentations=0 if recipe.convolutions else recipe.augmentations)
    tried: list[TrainedBase] = []
    for backbone in backbones:
        tried.append(train_on_base(backbone, dataset, heads_only, cache, progress, log))
        # those that cannot be decoded are named once
        dataset = replace(tried[-1].dataset, unreadable=())
    best = min(tried, key=lambda trained: np.nan_to_num(trained.loss, nan=np.inf))
    trials = tuple(BaseTrial(trained.backbone, trained.loss) for trained in tried)
    unreadable = tried[0].unreadable + best.unreadable * (best is not tried[0])
    log("loss by cross-validation: " + ", ".join(f"{Path(t.backbone.name).name} {t.loss:.3f}" for t in trials))
    if recipe.convolutions:
        best = train_on_base(best.backbone, dataset, recipe, cache, progress, log)
    else:
        best = replace(best, outcome=_judge_choice(best, [one for one in tried if one is not best]))
    return replace(best, unreadable=unreadable), trials


def _judge_choice(best: TrainedBase, others: list[TrainedBase]) -> TrainingOutcome:
    """Return the outcome of the best base, where it is judged by cross-validation with the choice within the folds."""
    outcome = best.outcome
    crossed = outcome.by_group or (None if best.parts.divided else outcome.held_out)
    if crossed is None or not crossed.held_out.any():
        return outcome  # photos that the data set's author has put apart had no part in the choice
    trained, folds = best.parts.trained, np.full(len(best.data.labels), ALWAYS_TRAINED, np.intp)
    folds[trained] = deal_folds(best.data.labels[trained], best.data.groups[trained])
    of_others = [found for one in others if (found := one.outcome.by_group or one.outcome.held_out) is not None]
    honest = predict_by_best_of_others(crossed, of_others, best.data.labels, folds)
    return replace(outcome, by_group=honest) if outcome.by_group else replace(outcome, held_out=honest)


def _count_by_label(dataset: Dataset, chosen: NDArray[np.bool_]) -> dict[str, int]:
    labels = np.array([photo.label for photo in dataset.photos], np.int64)
    counts = np.bincount(labels[chosen], minlength=len(dataset.labels))
    return dict(zip(dataset.labels, counts.tolist(), strict=True))


def _find_unjudged(trained: TrainedBase, recipe: Recipe) -> NDArray[np.bool_] | None:
    """Return a mask [photos] of those that are not judged since they look alike; None where no cluster decides it."""
    if trained.parts.divided or recipe.convolutions or recipe.group_by:
        return None
    unjudged: NDArray[np.bool_] = deal_folds(trained.data.labels, trained.data.groups) == ALWAYS_TRAINED
    return unjudged


def _describe_known(trained: TrainedBase) -> tuple[str, ...]:
    """Return a sentence where photos that a data set's author has put apart resemble others too much."""
    known = count_known(trained.clusters, trained.parts.held_out) if trained.parts.divided else 0
    if not known:
        return ()
    return (f"{known} of the photos in test/ or val/ are nearly the same as one in train/: they flatter the figures",)


def _make_manifest(dataset: Dataset, trained: TrainedBase) -> Manifest:
    by_path = {file.path: file.sha256 for file in dataset.files}
    errors = {by_path[path]: reason for path, reason in trained.unreadable if path in by_path}
    return make_manifest(dataset.root, dataset.files, dataset.unreadable, errors)


def _keep_embeddings(trained: TrainedBase, log: Log, *, fine: bool) -> TrainingEmbeddings:
    parts = trained.parts
    # early stopping looks at the photos of the validation set, too
    used = parts.final | parts.validation
    # photos that the data set's author has put apart stay apart, also when the model learns later
    kept = used if parts.divided else np.ones_like(used)
    known = TrainingEmbeddings(
        embeddings=trained.trainer.embed(trained.data.values[kept, 0]),
        labels=trained.data.labels[kept],
        sha256=tuple(photo.sha256 for photo, keep in zip(trained.dataset.photos, kept, strict=True) if keep),
        network_trained=used[kept] & fine,
    )
    carried = limit_photos(known)
    if len(carried.labels) < len(known.labels):
        log(
            f"the model carries the embeddings of {len(carried.labels):,} of {len(known.labels):,} photos, as many as "
            "a file may: learning from corrections goes without the others"
        )
    return carried


def _name_always_trained(trained: TrainedBase) -> tuple[str, ...]:
    data = trained.data
    always = deal_folds(data.labels, data.groups) == ALWAYS_TRAINED
    return tuple(trained.group_names[number] for number in np.unique(data.groups[always]))
