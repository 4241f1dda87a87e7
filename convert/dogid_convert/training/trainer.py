"""Training a classifier on a backbone, with or without fine-tuning, any number of times on different photos."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid_convert.graph import surgery
from dogid_convert.support import interruption
from dogid_convert.training import softmax_head
from dogid_convert.training.backbone import Backbone, Floats, Head, attach_head
from dogid_convert.training.bottleneck_cache import Half
from dogid_convert.training.early_stopping import EarlyStopping, Epoch, TrainingHistory, compute_metrics
from dogid_convert.training.fine_tuning import FineTunedLayers, Samples, Schedule

_AUGMENTATIONS_FOR_HEAD = 3  # a head has too few weights to gain from more; each costs time
_MAX_SCORED_PHOTOS = 512  # training photos whose loss is recorded after each epoch; raising it costs time


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Photos whose loss is computed after each epoch. They are not trained on."""

    values: Half
    """[photos, ...] at the cut, as they are."""
    labels: NDArray[np.integer]
    patience: int = 0
    """Epochs, for `EarlyStopping`; 0 only records the loss."""


class Trainer:
    """Trains from the base's weights, and predicts."""

    def __init__(
        self,
        backbone: Backbone,
        cut: str,
        *,
        prior: Floats,
        fine: bool,
        seed: int,
        schedule: Schedule,
    ) -> None:
        """prior [labels] are factors by which labels are likelier in use than in training; fine fine-tunes layers."""
        self._backbone, self._label_count, self._seed, self._fine = backbone, len(prior), seed, fine
        self._layers = FineTunedLayers(backbone, cut, self._label_count, schedule)
        # Bayes: another prior adds its logarithm to the logits, and the network need not be trained again
        self._prior = np.log(prior).astype(np.float32)
        self._constants: dict[str, Floats] = {}
        self._head = Head(
            np.zeros((backbone.width, self._label_count), np.float32), np.zeros(self._label_count, np.float32)
        )

    def train(
        self, samples: Samples, *, validation: ValidationSet | None = None, stop_after: int | None = None
    ) -> TrainingHistory | None:
        """Train from the base's weights; return the history where a validation set is given.

        stop_after ends the training after that epoch, with the learning rates of the whole schedule.
        """
        interruption.check()
        copies = min(samples.values.shape[1], _AUGMENTATIONS_FOR_HEAD if self._fine else samples.values.shape[1])
        self._layers.reset_to_base()
        embeddings = np.concatenate([self._layers.embeddings(samples.values[:, i]) for i in range(copies)])
        labels, sample_weight = np.tile(samples.labels, copies), np.tile(samples.sample_weight, copies)
        if not self._fine and validation is not None:
            return self._fit_head_stepwise(embeddings, labels, sample_weight, len(samples.labels), validation)
        steps = softmax_head.MAX_STEPS if stop_after is None or self._fine else max(1, stop_after)
        self._head = softmax_head.fit_head(embeddings, labels, sample_weight, self._label_count, steps)
        return self._fine_tune(samples, validation, stop_after) if self._fine else None

    def logits(self, values: Half) -> Floats:
        """Return logits [photos, labels] for values [photos, ...] at the cut."""
        return self._logits_without_prior(values) + self._prior

    def graph(self, temperature: float) -> tf.compat.v1.GraphDef:
        """Return the whole network, its logits divided by temperature."""
        changed = surgery.replace_constants(self._backbone.graph, dict(self._constants))
        head = Head(self._head.weights, self._head.biases + self._prior)
        return attach_head(replace(self._backbone, graph=changed), head.with_temperature(temperature))

    def _logits_without_prior(self, values: Half) -> Floats:
        if self._fine:
            return self._layers.logits(values)
        return self._layers.embeddings(values) @ self._head.weights + self._head.biases

    def _fit_head_stepwise(
        self,
        embeddings: Floats,
        labels: NDArray[np.integer],
        sample_weight: Floats,
        photos: int,
        validation: ValidationSet,
    ) -> TrainingHistory:
        validation_embeddings = self._layers.embeddings(validation.values)
        scored = _evenly_spaced(photos)  # the first copies are the photos as they are
        stopping = EarlyStopping(validation.patience)
        for step, head in softmax_head.fit_head_stepwise(embeddings, labels, sample_weight, self._label_count):
            trained = compute_metrics(embeddings[scored] @ head.weights + head.biases, labels[scored])
            assert trained is not None
            found = compute_metrics(validation_embeddings @ head.weights + head.biases, validation.labels)
            if stopping.record(Epoch(step, trained, found)) or not validation.patience:
                self._head = head
            if stopping.should_stop:
                break
        return stopping.history(steps=True)

    def _fine_tune(
        self, samples: Samples, validation: ValidationSet | None, stop_after: int | None
    ) -> TrainingHistory | None:
        if validation is None:
            if stop_after == 0:
                self._layers.reset(self._head)
            else:
                self._layers.train(samples, self._head, self._seed, lambda epoch: epoch == stop_after)
            self._constants, self._head = self._layers.averaged_weights()
            return None
        stopping = EarlyStopping(validation.patience, self._layers.warm_up_epochs(len(samples.labels)))
        scored = _evenly_spaced(len(samples.labels))
        best = self._constants, self._head

        def after_epoch(number: int) -> bool:
            nonlocal best
            trained = compute_metrics(self._layers.logits(samples.values[scored, 0]), samples.labels[scored])
            assert trained is not None
            if stopping.record(
                Epoch(number, trained, compute_metrics(self._layers.logits(validation.values), validation.labels))
            ):
                best = self._layers.averaged_weights()
            return stopping.should_stop

        self._layers.reset(self._head)
        after_epoch(0)
        self._layers.train(samples, self._head, self._seed, after_epoch)
        if validation.patience:
            self._layers.restore(*best)
        self._constants, self._head = self._layers.averaged_weights()
        return stopping.history(steps=False)


def _evenly_spaced(photos: int) -> NDArray[np.intp]:
    """Return the indices of at most `_MAX_SCORED_PHOTOS` photos, evenly spread over all labels."""
    return np.unique(np.linspace(0, photos - 1, min(photos, _MAX_SCORED_PHOTOS)).round().astype(np.intp))
