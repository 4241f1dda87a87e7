"""Multinomial logistic regression with an L2 penalty, by L-BFGS. In numpy alone, so that a device can do it, too.

L-BFGS: Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 and 7.5. It has no batches, no chance and no
seed, and it converges: a method that is stopped early leaves noise in directions that the samples do not show.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Inputs = NDArray[np.floating]
"""In float32 they take half of the memory and of the time, and the gradient has six digits."""
Objective = Callable[[Matrix], tuple[float, Callable[[], Matrix]]]
"""Returns the value at a point, and what computes the gradient there: a search for a length tries many points, and
goes on from one of them."""

_MAX_STEPS = 500  # it converges in 20 to 100 on most data; fewer would cut off hard cases, more only cost time
_TOLERANCE = 1e-3
"""Of the gradient's largest entry, in summed losses. Lower costs steps; higher leaves differences in the logits."""
_PAIRS = 10  # of steps that are remembered; more need memory and hardly save steps
_SUFFICIENT = 1e-4  # Armijo's constant, the textbook's
_MAX_HALVINGS = 40


def fit_softmax(
    inputs: Inputs,
    labels: NDArray[np.integer],
    sample_weight: Matrix,
    l2: float,
    start: tuple[Matrix, Matrix],
    check: Callable[[], None] = lambda: None,
) -> tuple[Matrix, Matrix]:
    """Return weights [width, labels] and biases [labels] with the least penalised loss.

    The loss is the sum over the samples of sample_weight times the negative log-likelihood of the label, plus l2 / 2
    times the sum of the squared weights (scikit-learn's C is 1 / l2). Biases are not penalised. inputs are
    [samples, width], labels [samples] indices below the number of biases in start, from where the search begins.
    check is called at every step, and may raise to end the search.
    """
    width, count = start[0].shape
    targets, samples = np.eye(count)[labels], np.arange(len(labels))

    def evaluate(flat: Matrix) -> tuple[float, Callable[[], Matrix]]:
        check()
        weights, biases = flat[: width * count].reshape(width, count), flat[width * count :]
        logits = multiply(inputs, weights) + biases
        logits -= find_largest(logits)[:, None]
        powers = np.exp(logits)
        totals = powers.sum(axis=1, keepdims=True)
        losses = np.log(totals[:, 0]) - logits[samples, labels]

        def differentiate() -> Matrix:
            error = (powers / totals - targets) * sample_weight[:, None]
            return np.concatenate([(multiply(inputs.T, error) + l2 * weights).ravel(), error.sum(axis=0)])

        return float(sample_weight @ losses + l2 / 2 * (weights**2).sum()), differentiate

    found = minimise(evaluate, np.concatenate([start[0].ravel(), start[1]]))
    return found[: width * count].reshape(width, count), found[width * count :]


def multiply(inputs: Inputs, columns: Matrix) -> Matrix:
    """Return the product of inputs [rows, width] and columns [width, labels], computed in the type of inputs."""
    return np.asarray(inputs @ columns.astype(inputs.dtype, copy=False), np.float64)


def find_largest(logits: Matrix) -> Matrix:
    """Return the largest logit of each row [rows]; of few labels numpy finds it ten times faster column by column."""
    return np.asarray(np.ascontiguousarray(logits.T).max(axis=0))


def minimise(evaluate: Objective, start: Matrix) -> Matrix:
    """Return where a convex function of start's shape is least; see `Objective` for evaluate."""
    point = start
    value, differentiate = evaluate(point)
    gradient = differentiate()
    pairs: list[tuple[Matrix, Matrix]] = []
    for _ in range(_MAX_STEPS):
        if np.abs(gradient).max() < _TOLERANCE:
            break
        direction = _descent_direction(gradient, pairs)
        slope, length = float(gradient @ direction), 1.0 if pairs else 1.0 / max(1.0, float(np.linalg.norm(gradient)))
        for _ in range(_MAX_HALVINGS):
            next_point = point + length * direction
            next_value, differentiate = evaluate(next_point)
            if next_value <= value + _SUFFICIENT * length * slope:
                break
            length /= 2
        else:
            break  # rounding hides any further descent
        next_gradient = differentiate()
        moved, turned = next_point - point, next_gradient - gradient
        if moved @ turned > 0:
            pairs = [*pairs[-_PAIRS + 1 :], (moved, turned)]
        point, value, gradient = next_point, next_value, next_gradient
    return point


def _descent_direction(gradient: Matrix, pairs: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Return the quasi-Newton direction, given the last steps and the changes of the gradient over them."""
    direction = -gradient
    factors = []
    for moved, turned in reversed(pairs):
        factor = float(moved @ direction) / float(moved @ turned)
        direction = direction - factor * turned
        factors.append(factor)
    if pairs:
        moved, turned = pairs[-1]
        direction = direction * (float(moved @ turned) / float(turned @ turned))
    for (moved, turned), factor in zip(pairs, reversed(factors), strict=True):
        direction = direction + (factor - float(turned @ direction) / float(moved @ turned)) * moved
    return direction
