"""Training the last convolutions of a backbone together with its head.

What comes before the cut stays frozen, so its values are computed once (`bottlenecks`). Batch normalization was
folded into the weights, so it stays as it was learned on millions of photos. The result is an exponential
moving average (EMA) of the weights.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.model.head import Head
from dogid_convert.graph import surgery
from dogid_convert.support import interruption
from dogid_convert.training.backbone import Backbone
from dogid_convert.training.bottleneck_cache import Half
from dogid_convert.training.head import Floats, make_zero_head

_WEIGHTED = (*surgery.CONVOLUTIONS, "Add", "AddV2", "BiasAdd", "Mul")
_WARM_UP_STEPS = 20  # with fewer, Adam's first steps are long and in poor directions; more delay the training
_MAX_GRADIENT_NORM = 5.0  # a lower one also shortens ordinary steps, a higher one lets an odd batch do damage
_HEAD_L2 = 1e-4  # higher: smaller weights of the head, less certain predictions
_PREDICTION_BATCH = 64  # photos; raising it needs more memory and saves no time


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to fine-tune."""

    epochs: int = 12
    learning_rate: float = 3e-4
    """Adam's, at its height."""
    batch_size: int = 64
    label_smoothing: float = 0.05
    """The part of each target that is spread over all labels."""
    dropout: float = 0.2
    l2_sp: float = 1e-4
    """Weight of the squared distance to the base's weights (L2-SP, Li et al. 2018)."""
    ema_decay: float = 0.98
    """Of the moving average of the weights, per step."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What to train on."""

    values: Half
    """[photos, 1 + augmentations, ...] at the cut."""
    labels: NDArray[np.integer]
    sample_weight: Floats
    """[photos], how much each counts."""
    groups: NDArray[np.intp]
    """[photos], the number of each photo's group; photos of one group are never on both sides of a split."""


class FineTunedLayers:
    """The part of a backbone behind the cut, with a head, both trainable.

    Predicts by the averaged weights, which are the base's with a head of zeros until `train` or `reset`.
    """

    def __init__(self, backbone: Backbone, cut: str, label_count: int, schedule: Schedule) -> None:
        self._backbone, self._cut, self._schedule = backbone, cut, schedule
        self._start = _trainable_weights(backbone, cut)
        head = make_zero_head(backbone.width, label_count)
        self._trained = [tf.Variable(value) for value in (*self._start.values(), head.weights.T, head.bias)]
        self._averages = [tf.Variable(value) for value in self._trained]
        self._label_count = label_count
        self._step = tf.function(self._train_step)
        self._logits = tf.function(self._compute_logits)
        self._embeddings = tf.function(self._compute_embeddings)

    @functools.cached_property
    def _optimizer(self) -> Any:
        """Made for the first training: a head alone needs none, nor Keras, which is half of TensorFlow's start."""
        optimizer = tf.keras.optimizers.Adam(
            global_clipnorm=_MAX_GRADIENT_NORM, use_ema=True, ema_momentum=self._schedule.ema_decay
        )
        optimizer.build(self._trained)
        return optimizer

    def train(
        self, samples: Samples, head: Head, seed: int, after_epoch: Callable[[int], bool] = lambda _: False
    ) -> None:
        """Train from the base's weights and this head on; earlier training is discarded.

        after_epoch is called after each epoch with its number from 1 on, and returns whether to stop there.
        """
        self.reset(head)
        for state in self._optimizer.variables:
            state.assign(tf.zeros_like(state))
        schedule = self._schedule
        rng = np.random.default_rng([seed, 1])
        photos, copies = samples.values.shape[:2]
        batch_size = min(schedule.batch_size, photos)
        steps = (photos // batch_size) * schedule.epochs
        targets = self._smoothed_targets(samples.labels)
        step = 0
        for epoch in range(1, schedule.epochs + 1):
            order = rng.permutation(photos)
            for at in range(0, photos - batch_size + 1, batch_size):
                interruption.check()
                step += 1
                chosen = order[at : at + batch_size]
                warm_up, decay = min(1.0, step / _WARM_UP_STEPS), 0.5 * (1 + np.cos(np.pi * step / steps))
                self._optimizer.learning_rate = schedule.learning_rate * warm_up * decay
                self._step(
                    tf.constant(samples.values[chosen, rng.integers(0, copies, batch_size)]),
                    tf.constant(targets[chosen]),
                    tf.constant(samples.sample_weight[chosen]),
                    tf.constant([seed, step], tf.int32),
                )
            self._update_averages()
            if after_epoch(epoch):
                break

    def warm_up_epochs(self, photos: int) -> int:
        """Return after how many epochs of that many photos the learning rate has reached its height."""
        return -(-_WARM_UP_STEPS // (photos // min(self._schedule.batch_size, photos)))

    def reset(self, head: Head) -> None:
        """Go back to the base's weights, with this head."""
        values = (*self._start.values(), head.weights.T, head.bias)
        for variable, average, value in zip(self._trained, self._averages, values, strict=True):
            variable.assign(value)
            average.assign(value)

    def reset_to_base(self) -> None:
        """Go back to the base's weights, with a head of zeros."""
        self.reset(make_zero_head(self._backbone.width, self._label_count))

    def restore(self, constants: dict[str, Floats], head: Head) -> None:
        """Predict by the averaged weights that `averaged_weights` returned earlier."""
        values = [*(constants[name] for name in self._start), head.weights.T, head.bias]
        for average, value in zip(self._averages, values, strict=True):
            average.assign(value)

    def averaged_weights(self) -> tuple[dict[str, Floats], Head]:
        """Return the averaged weights: the backbone's by the names of their constants, and the head."""
        averages = [value.numpy() for value in self._averages]
        return dict(zip(self._start, averages[:-2], strict=True)), Head(averages[-2].T, averages[-1])

    def logits(self, values: Half) -> Floats:
        """Return logits [photos, labels] for values [photos, ...] at the cut, by the averaged weights."""
        return self._in_batches(self._logits, values, self._label_count)

    def embeddings(self, values: Half) -> Floats:
        """Return embeddings [photos, width] for values [photos, ...] at the cut, by the averaged weights."""
        return self._in_batches(self._embeddings, values, self._backbone.width)

    @staticmethod
    def _in_batches(compute: Callable[[tf.Tensor], tf.Tensor], values: Half, width: int) -> Floats:
        batches = (values[at : at + _PREDICTION_BATCH] for at in range(0, len(values), _PREDICTION_BATCH))
        return np.concatenate([np.zeros((0, width), np.float32), *(compute(tf.constant(b)).numpy() for b in batches)])

    def _smoothed_targets(self, labels: NDArray[np.integer]) -> Floats:
        smoothing = self._schedule.label_smoothing
        targets: Floats = np.eye(self._label_count, dtype=np.float32)[labels]
        return targets * np.float32(1 - smoothing) + np.float32(smoothing / self._label_count)

    def _update_averages(self) -> None:
        # Keras hands out its moving averages only by writing them over the variables
        trained = [variable.numpy() for variable in self._trained]
        self._optimizer.finalize_variable_values(self._trained)
        for variable, average, value in zip(self._trained, self._averages, trained, strict=True):
            average.assign(variable)
            variable.assign(value)

    def _embed(self, values: tf.Tensor, weights: Sequence[tf.Tensor]) -> tf.Tensor:
        inputs = {f"{self._cut}:0": tf.cast(values, tf.float32)}
        inputs |= {f"{name}:0": value for name, value in zip(self._start, weights, strict=True)}
        (tensor,) = tf.import_graph_def(self._backbone.graph, inputs, [f"{self._backbone.embedding}:0"], name="")
        return tf.reshape(tensor, [-1, self._backbone.width])

    def _compute_embeddings(self, values: tf.Tensor) -> tf.Tensor:
        return self._embed(values, [tf.convert_to_tensor(average) for average in self._averages[:-2]])

    def _compute_logits(self, values: tf.Tensor) -> tf.Tensor:
        return self._compute_embeddings(values) @ self._averages[-2] + self._averages[-1]

    def _loss(
        self,
        weights: Sequence[tf.Tensor],
        values: tf.Tensor,
        targets: tf.Tensor,
        sample_weight: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        *backbone, head, biases = weights
        embedding = self._embed(values, backbone)
        embedding = tf.nn.experimental.stateless_dropout(embedding, self._schedule.dropout, seed=seed)
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, embedding @ head + biases)
        moved = [
            tf.reduce_sum((value - start) ** 2) for value, start in zip(backbone, self._start.values(), strict=True)
        ]
        penalty = self._schedule.l2_sp * tf.add_n(moved) + _HEAD_L2 * tf.reduce_sum(head**2)
        return tf.reduce_sum(losses * sample_weight) / tf.reduce_sum(sample_weight) + penalty

    def _compute_gradients(
        self, values: tf.Tensor, targets: tf.Tensor, sample_weight: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        weights = [tf.convert_to_tensor(variable) for variable in self._trained]
        loss = self._loss(weights, values, targets, sample_weight, seed)
        # not a GradientTape: it does not record the operators of an imported graph, and their gradients would be zero
        return loss, tf.gradients(loss, weights)

    def _train_step(self, values: tf.Tensor, targets: tf.Tensor, sample_weight: tf.Tensor, seed: tf.Tensor) -> None:
        _, gradients = self._compute_gradients(values, targets, sample_weight, seed)
        self._optimizer.apply(gradients)


def _trainable_weights(backbone: Backbone, cut: str) -> dict[str, Floats]:
    """Return the weights and biases that only the part behind the cut uses."""
    nodes = surgery.index_nodes(backbone.graph)
    found: dict[str, Floats] = {}
    for name in surgery.list_downstream(backbone.graph, cut, backbone.embedding):
        if nodes[name].op not in _WEIGHTED:
            continue
        for tensor in nodes[name].input:
            source = nodes[surgery.parse_node_name(tensor)]
            if source.op == "Const":
                value = surgery.read_constant(source)
                if value.dtype == np.float32 and value.ndim:
                    found[source.name] = value.astype(np.float32)
    return found
