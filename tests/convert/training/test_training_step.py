"""Training step by step, against the same in numpy: what is behind the cut is linear, so that gradients are short."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()
import tensorflow as tf  # noqa: E402

from dogid.model.head import Head  # noqa: E402
from dogid_convert.training.backbone import Backbone  # noqa: E402
from dogid_convert.training.fine_tuning import FineTunedLayers, Samples, Schedule  # noqa: E402
from dogid_convert.training.head import Floats  # noqa: E402

PHOTOS, WIDTH, LABELS = 6, 4, 3
SCHEDULE = Schedule(
    epochs=30, learning_rate=0.05, batch_size=PHOTOS, label_smoothing=0.1, dropout=0.0, l2_sp=0.1, ema_decay=0.7
)


@dataclass(frozen=True, slots=True)
class Weights:
    """All weights that are trained: of the convolution behind the cut, and of the head."""

    conv: NDArray[np.float64]
    bias: NDArray[np.float64]
    head: NDArray[np.float64]
    head_bias: NDArray[np.float64]

    def arrays(self) -> list[NDArray[np.float64]]:
        return [self.conv, self.bias, self.head, self.head_bias]


@functools.cache
def backbone() -> Backbone:
    """Return a network: a convolution before the cut, behind it another with biases, a factor 0.5 and the pooling."""
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> Floats:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    with tf.Graph().as_default() as graph:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 2, 2, 3], name="input")
        x = tf.nn.conv2d(pixels, tf.constant(weights(1, 1, 3, WIDTH), name="frozen"), 1, "SAME", name="first")
        x = tf.nn.relu(x, name="cut")
        x = tf.nn.conv2d(x, tf.constant(weights(1, 1, WIDTH, WIDTH), name="conv/weights"), 1, "SAME", name="conv")
        x = tf.nn.bias_add(x, tf.constant(weights(WIDTH), name="conv/biases"), name="bias")
        x = tf.multiply(x, tf.constant(0.5, name="half"), name="halved")
        tf.nn.avg_pool2d(x, 2, 1, "VALID", name="pool")
    return Backbone(graph.as_graph_def(), "pool", (2, 2), WIDTH, "linear", "00")


@functools.cache
def base() -> Weights:
    """Return the base's weights, with a head by chance."""
    constants = {
        node.name: tf.make_ndarray(node.attr["value"].tensor) for node in backbone().graph.node if node.op == "Const"
    }
    rng = np.random.default_rng(4)
    head, head_bias = rng.normal(0, 1, (WIDTH, LABELS)), rng.normal(0, 0.1, LABELS)
    conv = constants["conv/weights"].reshape(WIDTH, WIDTH).astype(np.float64)
    return Weights(conv, constants["conv/biases"].astype(np.float64), head, head_bias)


def make_layers(schedule: Schedule = SCHEDULE) -> FineTunedLayers:
    return FineTunedLayers(backbone(), "cut", LABELS, schedule)


def base_head() -> Head:
    return Head(base().head.T.astype(np.float32), base().head_bias.astype(np.float32))


def make_samples(photos: int = PHOTOS, *, scale: float = 1.0, augmentations: int = 1) -> Samples:
    """Return values at the cut by chance, of that order, with labels and weights."""
    rng = np.random.default_rng(5)
    values = (scale * rng.uniform(0, 2, (photos, augmentations, 2, 2, WIDTH))).astype(np.float16)
    sample_weight = rng.uniform(0.5, 2, photos).astype(np.float32)
    return Samples(values, np.arange(photos) % LABELS, sample_weight, np.arange(photos))


def predict(weights: Weights, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return embeddings and logits of values [photos, 2, 2, WIDTH]."""
    embeddings = 0.5 * (values.astype(np.float64).mean(axis=(1, 2)) @ weights.conv + weights.bias)
    return embeddings, embeddings @ weights.head + weights.head_bias


def gradients(weights: Weights, samples: Samples, schedule: Schedule) -> list[NDArray[np.float64]]:
    """Return the gradients of the loss: weighted cross-entropy of smoothed targets, L2-SP, and L2 of the head."""
    values = samples.values[:, 0].astype(np.float64)
    embeddings, logits = predict(weights, values)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    targets = np.eye(LABELS)[samples.labels] * (1 - schedule.label_smoothing) + schedule.label_smoothing / LABELS
    share = (samples.sample_weight / samples.sample_weight.sum())[:, None]
    error = share * (exponentials / exponentials.sum(axis=1, keepdims=True) - targets)
    back = 0.5 * error @ weights.head.T
    return [
        values.mean(axis=(1, 2)).T @ back + 2 * schedule.l2_sp * (weights.conv - base().conv),
        back.sum(axis=0) + 2 * schedule.l2_sp * (weights.bias - base().bias),
        embeddings.T @ error + 2e-4 * weights.head,
        error.sum(axis=0),
    ]


def training(batches: list[Samples], schedule: Schedule, steps: int) -> Iterator[Weights]:
    """Yield the moving average of the weights after each step: Adam (Kingma and Ba 2015), gradients clipped at norm 5.

    The learning rate rises for 20 steps, and falls by a cosine to nothing at the last of all steps.
    """
    weights = base()
    means, squares = ([np.zeros_like(value) for value in weights.arrays()] for _ in range(2))
    averages = weights.arrays()
    for step, batch in enumerate(batches, start=1):
        found = gradients(weights, batch, schedule)
        norm = np.sqrt(sum(float((gradient**2).sum()) for gradient in found))
        found = [gradient * min(1.0, 5.0 / norm) for gradient in found]
        means = [0.9 * mean + 0.1 * gradient for mean, gradient in zip(means, found, strict=True)]
        squares = [0.999 * square + 0.001 * gradient**2 for square, gradient in zip(squares, found, strict=True)]
        rate = schedule.learning_rate * min(1.0, step / 20) * 0.5 * (1 + np.cos(np.pi * step / steps))
        rate *= np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        changed = [
            value - rate * mean / (np.sqrt(square) + 1e-7)
            for value, mean, square in zip(weights.arrays(), means, squares, strict=True)
        ]
        weights = Weights(*changed)
        decay = schedule.ema_decay if step > 1 else 0.0
        averages = [
            decay * average + (1 - decay) * value for average, value in zip(averages, weights.arrays(), strict=True)
        ]
        yield Weights(*averages)


def averaged(layers: FineTunedLayers) -> Weights:
    constants, head = layers.averaged_weights()
    assert list(constants) == ["conv/weights", "conv/biases"]
    conv = constants["conv/weights"].reshape(WIDTH, WIDTH)
    return Weights(*(array.astype(np.float64) for array in (conv, constants["conv/biases"], head.weights.T, head.bias)))


def are_close(first: Weights, second: Weights) -> bool:
    return all(
        np.allclose(one, other, rtol=1e-3, atol=2e-4)
        for one, other in zip(first.arrays(), second.arrays(), strict=True)
    )


@pytest.mark.parametrize("scale", [1.0, 40.0], ids=["short gradients", "clipped gradients"])
def test_each_epoch_has_the_weights_numpy_computes(scale: float) -> None:
    layers, samples = make_layers(), make_samples(scale=scale)
    seen: list[Weights] = []
    numbers: list[int] = []

    def after_epoch(number: int) -> bool:
        numbers.append(number)
        seen.append(averaged(layers))
        return False

    layers.train(samples, base_head(), 0, after_epoch)

    expected = list(training([samples] * SCHEDULE.epochs, SCHEDULE, SCHEDULE.epochs))
    assert numbers == list(range(1, SCHEDULE.epochs + 1))
    assert [number for number, pair in enumerate(zip(seen, expected, strict=True), 1) if not are_close(*pair)] == []
    assert not are_close(seen[0], seen[-1])


def test_incomplete_last_batch_is_left_out() -> None:
    schedule = replace(SCHEDULE, epochs=3, batch_size=2)
    alike = make_samples(1)
    values, labels = np.repeat(alike.values, 5, axis=0), np.repeat(alike.labels, 5)
    samples = Samples(values, labels, np.repeat(alike.sample_weight, 5), np.arange(5))
    layers = make_layers(schedule)

    layers.train(samples, base_head(), 0)
    *_, expected = training([alike] * 6, schedule, 6)
    assert are_close(averaged(layers), expected)


def test_each_photo_is_trained_on_once_an_epoch() -> None:
    schedule = replace(SCHEDULE, epochs=2, batch_size=1, learning_rate=1.0)
    samples, layers = make_samples(2), make_layers(schedule)
    photos = [
        Samples(samples.values[[i]], samples.labels[[i]], samples.sample_weight[[i]], np.zeros(1, np.intp))
        for i in range(2)
    ]

    layers.train(samples, base_head(), 0)
    orders = [[*first, *second] for first, second in itertools.product([photos, photos[::-1]], repeat=2)]
    assert sum(are_close(averaged(layers), list(training(order, schedule, 4))[-1]) for order in orders) == 1


def test_augmentation_is_drawn_for_each_photo() -> None:
    schedule = replace(SCHEDULE, epochs=2, batch_size=2, learning_rate=1.0)
    samples, layers = make_samples(2, augmentations=2), make_layers(schedule)
    drawn = set()
    for seed in range(16):
        layers.train(samples, base_head(), seed, lambda _: True)
        for pair in itertools.product(range(2), repeat=2):
            chosen = replace(samples, values=samples.values[[0, 1], pair][:, None])
            if are_close(averaged(layers), next(training([chosen], schedule, 2))):
                drawn.add(pair)
    assert drawn == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_training_stops_where_after_epoch_says_so() -> None:
    layers, samples = make_layers(), make_samples()
    numbers: list[int] = []

    def is_second(number: int) -> bool:
        numbers.append(number)
        return number == 2

    layers.train(samples, base_head(), 0, is_second)
    assert numbers == [1, 2]
    _, expected = training([samples] * 2, SCHEDULE, SCHEDULE.epochs)
    assert are_close(averaged(layers), expected)


def test_earlier_training_is_discarded() -> None:
    layers, samples = make_layers(), make_samples()
    layers.train(samples, base_head(), 0)
    once = averaged(layers)
    layers.train(samples, base_head(), 0)

    assert are_close(averaged(layers), once)


def test_dropout_depends_on_the_seed() -> None:
    layers, samples = make_layers(replace(SCHEDULE, dropout=0.5)), make_samples()

    def trained(seed: int) -> Weights:
        layers.train(samples, base_head(), seed)
        return averaged(layers)

    first, plain = trained(0), list(training([samples] * SCHEDULE.epochs, SCHEDULE, SCHEDULE.epochs))[-1]
    assert are_close(trained(0), first)
    assert not are_close(trained(1), first)
    assert not are_close(first, plain)


def test_layers_predict_by_the_base_before_training() -> None:
    layers = make_layers()
    values = make_samples(130).values[:, 0]  # more than two batches

    assert are_close(averaged(layers), replace(base(), head=np.zeros((WIDTH, LABELS)), head_bias=np.zeros(LABELS)))
    assert layers.logits(values).tolist() == [[0.0] * LABELS] * 130
    np.testing.assert_allclose(layers.embeddings(values), predict(base(), values)[0], rtol=1e-3, atol=1e-4)


def test_no_photos_have_no_predictions() -> None:
    layers, none = make_layers(), make_samples(0).values[:, 0]

    assert layers.logits(none).shape == (0, LABELS)
    assert layers.embeddings(none).shape == (0, WIDTH)
    assert layers.logits(none).dtype == np.float32


def test_logits_are_those_of_the_averaged_weights() -> None:
    layers, samples = make_layers(), make_samples()
    layers.train(samples, base_head(), 0)
    values = samples.values[:, 0]

    embeddings, logits = predict(averaged(layers), values)
    np.testing.assert_allclose(layers.embeddings(values), embeddings, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(layers.logits(values), logits, rtol=1e-3, atol=1e-3)


def test_weights_are_restored_as_they_were_returned() -> None:
    layers, samples = make_layers(), make_samples()
    layers.train(samples, base_head(), 0)
    trained, logits = layers.averaged_weights(), layers.logits(samples.values[:, 0])
    layers.reset_to_base()
    assert are_close(averaged(layers), replace(base(), head=np.zeros((WIDTH, LABELS)), head_bias=np.zeros(LABELS)))

    layers.restore(*trained)
    assert layers.logits(samples.values[:, 0]).tobytes() == logits.tobytes()


@pytest.mark.parametrize(
    ("photos", "batch_size", "epochs"),
    [(64, 64, 20), (10, 64, 20), (100, 64, 20), (640, 64, 2), (639, 64, 3), (2000, 64, 1)],
)
def test_warm_up_takes_twenty_steps(photos: int, batch_size: int, epochs: int) -> None:
    assert make_layers(replace(SCHEDULE, batch_size=batch_size)).warm_up_epochs(photos) == epochs
