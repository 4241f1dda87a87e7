"""Training the last convolutions of a backbone together with its head.

What comes before the cut stays frozen, so its values are computed once (`bottlenecks`). Batch normalization was
folded into the weights, so it stays as it was learned on millions of photos. The result is an exponential
moving average (EMA) of the weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid_convert.graph import surgery
from dogid_convert.support import interruption
from dogid_convert.training.backbone import Backbone, Floats, Head
from dogid_convert.training.bottlenecks import Half

_WEIGHTED = (*surgery.CONVOLUTIONS, "Add", "AddV2", "BiasAdd", "Mul")
_WARM_UP_STEPS = 20  # steps
_MAX_GRADIENT_NORM = 5.0
_HEAD_L2 = 1e-4
_PREDICTION_BATCH = 64  # photos


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to fine-tune. The defaults were chosen by leaving sources out, see models/README.md."""

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
    """Of the moving mean of the weights, per step."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What to train on."""

    values: Half
    """[photos, 1 + augmentations, ...] at the cut."""
    labels: NDArray[np.integer]
    sample_weight: Floats
    """[photos], how much each counts."""


class FineTunedLayers:
    """The part of a backbone behind the cut, with a head, both trainable."""

    def __init__(self, backbone: Backbone, cut: str, label_count: int, schedule: Schedule) -> None:
        self._backbone, self._cut, self._schedule = backbone, cut, schedule
        self._start = _trainable_weights(backbone, cut)
        self._weights = [tf.Variable(value) for value in self._start.values()]
        self._head = [tf.Variable(tf.zeros([backbone.width, label_count])), tf.Variable(tf.zeros([label_count]))]
        self._trained = [*self._weights, *self._head]
        self._means = [tf.Variable(value) for value in self._trained]
        self._momenta = [tf.Variable(tf.zeros_like(value)) for value in self._trained]
        self._squares = [tf.Variable(tf.zeros_like(value)) for value in self._trained]
        self._label_count = label_count
        self._step = tf.function(self._train_step)
        self._logits = tf.function(self._compute_logits)
        self._embeddings = tf.function(self._compute_embeddings)

    def train(
        self, samples: Samples, head: Head, seed: int, after_epoch: Callable[[int], bool] = lambda _: False
    ) -> None:
        """Train from the base's weights and this head on; what was trained before is forgotten.

        after_epoch is asked after each epoch, given its number from 1 on, whether to stop there.
        """
        self._reset(head)
        plan = self._schedule
        rng = np.random.default_rng([seed, 1])
        photos, copies = samples.values.shape[:2]
        batch_size = min(plan.batch_size, photos)
        steps = (photos // batch_size) * plan.epochs
        targets = np.eye(self._label_count, dtype=np.float32)[samples.labels]
        targets = targets * (1 - plan.label_smoothing) + plan.label_smoothing / self._label_count
        step = 0
        for epoch in range(1, plan.epochs + 1):
            order = rng.permutation(photos)
            for at in range(0, photos - batch_size + 1, batch_size):
                interruption.check()
                step += 1
                chosen = order[at : at + batch_size]
                values = samples.values[chosen, rng.integers(0, copies, batch_size)]
                warm_up, decay = min(1.0, step / _WARM_UP_STEPS), 0.5 * (1 + np.cos(np.pi * step / steps))
                self._step(
                    tf.constant(values),
                    tf.constant(targets[chosen]),
                    tf.constant(samples.sample_weight[chosen]),
                    tf.constant(plan.learning_rate * warm_up * decay, tf.float32),
                    tf.constant(step, tf.float32),
                    tf.constant([seed, step], tf.int32),
                )
            if after_epoch(epoch):
                break

    def warm_up_epochs(self, photos: int) -> int:
        """Return after how many epochs of that many photos the learning rate has reached its height."""
        return -(-_WARM_UP_STEPS // (photos // min(self._schedule.batch_size, photos)))

    def reset(self, head: Head) -> None:
        """Go back to the base's weights, with this head."""
        self._reset(head)

    def restore(self, constants: dict[str, Floats], head: Head) -> None:
        """Answer by the mean weights that `averaged_weights` returned earlier."""
        values = [*(constants[name] for name in self._start), head.weights, head.biases]
        for mean, value in zip(self._means, values, strict=True):
            mean.assign(value)

    def logits(self, values: Half) -> Floats:
        """Return logits [photos, labels] for values [photos, ...] at the cut, by the mean weights."""
        parts = [
            self._logits(tf.constant(values[at : at + _PREDICTION_BATCH])).numpy()
            for at in range(0, len(values), _PREDICTION_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._label_count), np.float32)

    def embeddings(self, values: Half) -> Floats:
        """Return embeddings [photos, width] for values [photos, ...] at the cut, by the mean weights."""
        parts = [
            self._embeddings(tf.constant(values[at : at + _PREDICTION_BATCH])).numpy()
            for at in range(0, len(values), _PREDICTION_BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._backbone.width), np.float32)

    def reset_to_base(self) -> None:
        """Go back to the base's weights."""
        self.reset(Head.zeros(self._backbone.width, self._label_count))

    def averaged_weights(self) -> tuple[dict[str, Floats], Head]:
        """Return the mean weights: the backbone's by the names of their constants, and the head."""
        means = [value.numpy() for value in self._means]
        return dict(zip(self._start, means[:-2], strict=True)), Head(means[-2], means[-1])

    def _reset(self, head: Head) -> None:
        for variable, value in zip(self._trained, [*self._start.values(), head.weights, head.biases], strict=True):
            variable.assign(value)
        for mean, variable in zip(self._means, self._trained, strict=True):
            mean.assign(variable)
        for variable in (*self._momenta, *self._squares):
            variable.assign(tf.zeros_like(variable))

    def _embedding(self, values: tf.Tensor, weights: list[tf.Variable]) -> tf.Tensor:
        given = {f"{self._cut}:0": values}
        given |= {f"{name}:0": tf.convert_to_tensor(v) for name, v in zip(self._start, weights, strict=True)}
        (tensor,) = tf.import_graph_def(self._backbone.graph, given, [f"{self._backbone.embedding}:0"], name="")
        return tf.reshape(tensor, [-1, self._backbone.width])

    def _compute_embeddings(self, values: tf.Tensor) -> tf.Tensor:
        return self._embedding(tf.cast(values, tf.float32), self._means[:-2])

    def _compute_logits(self, values: tf.Tensor) -> tf.Tensor:
        return self._compute_embeddings(values) @ self._means[-2] + self._means[-1]

    def _loss(self, values: tf.Tensor, targets: tf.Tensor, sample_weight: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        embedding = self._embedding(tf.cast(values, tf.float32), self._weights)
        embedding = tf.nn.experimental.stateless_dropout(embedding, self._schedule.dropout, seed=seed)
        logits = embedding @ self._head[0] + self._head[1]
        losses = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        moved = [tf.reduce_sum((v - s) ** 2) for v, s in zip(self._weights, self._start.values(), strict=True)]
        kept_near = self._schedule.l2_sp * tf.add_n(moved) + _HEAD_L2 * tf.reduce_sum(self._head[0] ** 2)
        return tf.reduce_sum(losses * sample_weight) / tf.reduce_sum(sample_weight) + kept_near

    def _train_step(
        self,
        values: tf.Tensor,
        targets: tf.Tensor,
        sample_weight: tf.Tensor,
        learning_rate: tf.Tensor,
        step: tf.Tensor,
        seed: tf.Tensor,
    ) -> None:
        with tf.GradientTape() as tape:
            loss = self._loss(values, targets, sample_weight, seed)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, self._trained), _MAX_GRADIENT_NORM)
        states = zip(self._trained, gradients, self._momenta, self._squares, self._means, strict=True)
        for variable, gradient, momentum, square, mean in states:
            momentum.assign(0.9 * momentum + 0.1 * gradient)
            square.assign(0.999 * square + 0.001 * gradient**2)
            ahead = (momentum / (1 - 0.9**step)) / (tf.sqrt(square / (1 - 0.999**step)) + 1e-8)
            variable.assign_sub(learning_rate * ahead)
            mean.assign(self._schedule.ema_decay * mean + (1 - self._schedule.ema_decay) * variable)


def _trainable_weights(backbone: Backbone, cut: str) -> dict[str, Floats]:
    """Return the weights and biases that only the part behind the cut uses."""
    nodes = surgery.nodes_by_name(backbone.graph)
    found: dict[str, Floats] = {}
    for name in surgery.downstream(backbone.graph, cut, backbone.embedding):
        if nodes[name].op not in _WEIGHTED:
            continue
        for tensor in nodes[name].input:
            source = nodes[surgery.node_name(tensor)]
            if source.op == "Const":
                value = surgery.constant(source)
                if value.dtype == np.float32 and value.ndim:
                    found[source.name] = value.astype(np.float32)
    return found
