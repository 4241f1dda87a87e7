"""Training a classifier on a backbone, with or without fine-tuning, any number of times on different photos."""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid_convert.graph import surgery
from dogid_convert.support import interruption
from dogid_convert.training.backbone import Backbone, attach_head
from dogid_convert.training.bottleneck_cache import Half
from dogid_convert.training.early_stopping import EarlyStopping, Epoch, TrainingHistory, compute_metrics
from dogid_convert.training.fine_tuning import FineTunedLayers, Samples, Schedule
from dogid_convert.training.group_folds import deal_folds
from dogid_convert.training.head import Floats, apply_prior, apply_temperature, make_zero_head
from dogid_convert.training.head_choice import ChosenHead, EmbeddedPhotos, choose_head

_AUGMENTATIONS_FOR_START = 3  # the head that fine-tuning begins with needs no more; each costs time
_MAX_SCORED_PHOTOS = 512  # training photos whose loss is recorded after each epoch; raising it costs time


@dataclass(frozen=True, slots=True)
class ValidationSet:
    """Photos whose loss is computed after each epoch. They are not trained on."""

    values: Half
    """[photos, ...] at the cut, as they are."""
    labels: NDArray[np.integer]
    patience: int = 0
    """Epochs, for `EarlyStopping`; 0 only records the loss."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a training went."""

    chosen: ChosenHead
    """The head on the base's embeddings: the result, or what fine-tuning began with."""
    history: TrainingHistory | None
    """Of fine-tuning; None without it or without a validation set."""


class Trainer:
    """Trains from the base's weights, and predicts."""

    def __init__(
        self, backbone: Backbone, cut: str, *, label_count: int, fine: bool, seed: int, schedule: Schedule
    ) -> None:
        """Cut is the node up to which the backbone stays frozen; fine is whether the layers behind it are trained."""
        self._backbone, self._label_count, self._seed, self._fine = backbone, label_count, seed, fine
        self._layers = FineTunedLayers(backbone, cut, label_count, schedule)
        self._constants: dict[str, Floats] = {}
        self._head = make_zero_head(backbone.width, label_count)

    def embed_by_base(self, values: Half) -> Floats:
        """Return the base's embeddings [photos, width] for values [photos, ...] at the cut; discards any training."""
        self._layers.reset_to_base()
        return self._layers.embeddings(values)

    def train(
        self, samples: Samples, *, validation: ValidationSet | None = None, stop_after: int | None = None
    ) -> Training:
        """Train from the base's weights.

        validation and stop_after are for fine-tuning alone. stop_after ends it after that epoch, with the learning
        rates of the whole schedule.
        """
        interruption.check()
        copies = min(samples.values.shape[1], _AUGMENTATIONS_FOR_START) if self._fine else samples.values.shape[1]
        embeddings = np.stack([self.embed_by_base(samples.values[:, i]) for i in range(copies)], axis=1)
        photos = EmbeddedPhotos(embeddings, samples.labels, samples.sample_weight, self._label_count)
        chosen = choose_head(photos, deal_folds(samples.labels, samples.groups))
        if not self._fine:
            self._head = chosen.head
            return Training(chosen, None)
        self._head = chosen.calibrated
        return Training(chosen, self._fine_tune(samples, validation, stop_after))

    def logits(self, values: Half) -> Floats:
        """Return logits [photos, labels] for values [photos, ...] at the cut."""
        if self._fine:
            return self._layers.logits(values)
        return self._head.logits(self.embed(values))

    def embed(self, values: Half) -> Floats:
        """Return embeddings [photos, width] by the trained network for values [photos, ...] at the cut."""
        return self._layers.embeddings(values)

    def graph(self, temperature: float, prior: Floats) -> tf.compat.v1.GraphDef:
        """Return the whole network, its logits divided by temperature, for labels prior [labels] times likelier."""
        changed = surgery.replace_constants(self._backbone.graph, dict(self._constants))
        head = apply_prior(apply_temperature(self._head, temperature), prior)
        return attach_head(replace(self._backbone, graph=changed), head)

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
        return stopping.history()


def _evenly_spaced(photos: int) -> NDArray[np.intp]:
    """Return the indices of at most `_MAX_SCORED_PHOTOS` photos, evenly spread over all labels."""
    return np.unique(np.linspace(0, photos - 1, min(photos, _MAX_SCORED_PHOTOS)).round().astype(np.intp))
