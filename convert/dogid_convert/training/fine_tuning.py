"""Training the last convolutions of a backbone together with its head.

What comes before the cut stays frozen, so its values are computed once (`bottlenecks`). Batch normalization was
folded into the weights, so it stays as it was learned on millions of photos. The result is a moving mean of the
weights.
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
_WARM_UP = 20  # steps
_LONGEST_SLOPE = 5.0
_HEAD_DECAY = 1e-4
_PREDICTED_AT_ONCE = 64  # photos


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to fine-tune. The defaults were chosen by leaving sources out, see models/README.md."""

    epochs: int = 12
    rate: float = 3e-4
    """Adam's, at its height."""
    batch: int = 64
    smoothing: float = 0.05
    """The part of each target that is spread over all labels."""
    dropout: float = 0.2
    pull: float = 1e-4
    """Weight of the squared distance to the base's weights (L2-SP, Li et al. 2018)."""
    memory: float = 0.98
    """Of the moving mean of the weights, per step."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What to train on."""

    values: Half
    """[photos, 1 + views, ...] at the cut."""
    truth: NDArray[np.integer]
    importance: Floats
    """[photos], how much each counts."""


class Tail:
    """The part of a backbone behind the cut, with a head, both trainable."""

    def __init__(self, backbone: Backbone, cut: str, labels: int, schedule: Schedule) -> None:
        self._backbone, self._cut, self._schedule = backbone, cut, schedule
        self._start = _weights_behind(backbone, cut)
        self._weights = [tf.Variable(value) for value in self._start.values()]
        self._head = [tf.Variable(tf.zeros([backbone.width, labels])), tf.Variable(tf.zeros([labels]))]
        self._trained = [*self._weights, *self._head]
        self._means = [tf.Variable(value) for value in self._trained]
        self._momenta = [tf.Variable(tf.zeros_like(value)) for value in self._trained]
        self._squares = [tf.Variable(tf.zeros_like(value)) for value in self._trained]
        self._labels = labels
        self._step = tf.function(self._stepped)
        self._logits = tf.function(self._answered)
        self._embeddings = tf.function(self._embedded)

    def train(
        self, samples: Samples, head: Head, seed: int, after_epoch: Callable[[int], bool] = lambda _: False
    ) -> None:
        """Train from the base's weights and this head on; what was trained before is forgotten.

        after_epoch is asked after each epoch, given its number from 1 on, whether to stop there.
        """
        self._reset(head)
        plan = self._schedule
        rng = np.random.default_rng([seed, 1])
        photos, views = samples.values.shape[:2]
        batch = min(plan.batch, photos)
        steps = (photos // batch) * plan.epochs
        targets = np.eye(self._labels, dtype=np.float32)[samples.truth]
        targets = targets * (1 - plan.smoothing) + plan.smoothing / self._labels
        step = 0
        for epoch in range(1, plan.epochs + 1):
            order = rng.permutation(photos)
            for at in range(0, photos - batch + 1, batch):
                interruption.check()
                step += 1
                chosen = order[at : at + batch]
                values = samples.values[chosen, rng.integers(0, views, batch)]
                rate = plan.rate * min(1.0, step / _WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
                self._step(
                    tf.constant(values),
                    tf.constant(targets[chosen]),
                    tf.constant(samples.importance[chosen]),
                    tf.constant(rate, tf.float32),
                    tf.constant(step, tf.float32),
                    tf.constant([seed, step], tf.int32),
                )
            if after_epoch(epoch):
                break

    def warm_up(self, photos: int) -> int:
        """Return after how many epochs of that many photos the rate has reached its height."""
        return -(-_WARM_UP // (photos // min(self._schedule.batch, photos)))

    def begin(self, head: Head) -> None:
        """Go back to the base's weights, with this head."""
        self._reset(head)

    def restore(self, constants: dict[str, Floats], head: Head) -> None:
        """Answer by the mean weights that `result` returned earlier."""
        values = [*(constants[name] for name in self._start), head.weights, head.biases]
        for mean, value in zip(self._means, values, strict=True):
            mean.assign(value)

    def logits(self, values: Half) -> Floats:
        """Return logits [photos, labels] for values [photos, ...] at the cut, by the mean weights."""
        parts = [
            self._logits(tf.constant(values[at : at + _PREDICTED_AT_ONCE])).numpy()
            for at in range(0, len(values), _PREDICTED_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._labels), np.float32)

    def embeddings(self, values: Half) -> Floats:
        """Return embeddings [photos, width] for values [photos, ...] at the cut, by the mean weights."""
        parts = [
            self._embeddings(tf.constant(values[at : at + _PREDICTED_AT_ONCE])).numpy()
            for at in range(0, len(values), _PREDICTED_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self._backbone.width), np.float32)

    def forget(self) -> None:
        """Go back to the base's weights."""
        width, labels = self._backbone.width, self._labels
        self._reset(Head(np.zeros((width, labels), np.float32), np.zeros(labels, np.float32)))

    def result(self) -> tuple[dict[str, Floats], Head]:
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

    def _embedded(self, values: tf.Tensor) -> tf.Tensor:
        return self._embedding(tf.cast(values, tf.float32), self._means[:-2])

    def _answered(self, values: tf.Tensor) -> tf.Tensor:
        return self._embedded(values) @ self._means[-2] + self._means[-1]

    def _loss(self, values: tf.Tensor, targets: tf.Tensor, importance: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        embedding = self._embedding(tf.cast(values, tf.float32), self._weights)
        embedding = tf.nn.experimental.stateless_dropout(embedding, self._schedule.dropout, seed=seed)
        logits = embedding @ self._head[0] + self._head[1]
        surprise = tf.nn.softmax_cross_entropy_with_logits(targets, logits)
        moved = [tf.reduce_sum((v - s) ** 2) for v, s in zip(self._weights, self._start.values(), strict=True)]
        kept_near = self._schedule.pull * tf.add_n(moved) + _HEAD_DECAY * tf.reduce_sum(self._head[0] ** 2)
        return tf.reduce_sum(surprise * importance) / tf.reduce_sum(importance) + kept_near

    def _stepped(
        self,
        values: tf.Tensor,
        targets: tf.Tensor,
        importance: tf.Tensor,
        rate: tf.Tensor,
        step: tf.Tensor,
        seed: tf.Tensor,
    ) -> None:
        with tf.GradientTape() as tape:
            loss = self._loss(values, targets, importance, seed)
        slopes, _ = tf.clip_by_global_norm(tape.gradient(loss, self._trained), _LONGEST_SLOPE)
        states = zip(self._trained, slopes, self._momenta, self._squares, self._means, strict=True)
        for variable, slope, momentum, square, mean in states:
            momentum.assign(0.9 * momentum + 0.1 * slope)
            square.assign(0.999 * square + 0.001 * slope**2)
            ahead = (momentum / (1 - 0.9**step)) / (tf.sqrt(square / (1 - 0.999**step)) + 1e-8)
            variable.assign_sub(rate * ahead)
            mean.assign(self._schedule.memory * mean + (1 - self._schedule.memory) * variable)


def _weights_behind(backbone: Backbone, cut: str) -> dict[str, Floats]:
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
