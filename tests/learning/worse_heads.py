"""Last layers that were made worse, which the gate must refuse."""

from collections.abc import Callable

import numpy as np

from dogid.model.head import Head

Worsen = Callable[[Head, np.random.Generator], Head]


def shuffle_rows(head: Head, rng: np.random.Generator) -> Head:
    """Have the labels stand for others' rows."""
    order = np.arange(len(head.bias))
    while (order == np.arange(len(order))).all():
        order = rng.permutation(len(order))
    return Head(head.weights[order], head.bias[order])


def drop_row(head: Head, rng: np.random.Generator) -> Head:
    """Have one label never be the answer."""
    bias = head.bias.copy()
    bias[rng.integers(0, len(bias))] = -100
    return Head(head.weights, bias)


def damage_weights(share: float) -> Worsen:
    """Have noise of so much of the weights' standard deviation be on them."""

    def damage(head: Head, rng: np.random.Generator) -> Head:
        noise = rng.normal(0, share * head.weights.std(), head.weights.shape)
        return Head((head.weights + noise).astype(np.float32), head.bias)

    return damage
