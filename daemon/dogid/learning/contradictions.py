"""Stored photos and reviews that contradict each other: they decide more than the method.

A stored photo that looks more like a new label than that label's own photos look like one another was probably labelled
when the label did not exist. Photos that are nearly the same under two labels cannot both be right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.clusters import SIMILARITY, normalise
from dogid.learning.discriminant_analysis import PooledCovariance
from dogid.learning.standardisation import Floats, Matrix

_SHRINKAGE = 0.3
_LEAST_LIKE = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Quantiles of a label's own photos that a stored one must reach: the first at which those found may well show the
label, and always the last. Lower finds more and takes more that only resemble it; at 0.1, of 51 rottweilers among 2,500
others 44 are found with 20 photos, and 10 others with them."""
_LIKELY = 0.5
"""Share of the found photos that must show the label. Lower: where other labels have much that resembles it, that is
left out, and lost unseen (of dobermans, pinschers and rottweilers); higher: few photos of it are found."""
_CHANCE = 0.05
"""A higher quantile is asked only where chance would leave so few above the median this seldom. Higher: of eight photos
that all show the label, some are dropped by noise; lower: what only resembles it is left out until it is a lot."""
_ROUNDS = 5
"""Photos that were found help to find more; it ends by itself after two or three."""
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A photo whose label is in doubt; it is left out until someone says which is right."""

    sha256: str
    name: str | None
    """The path of a reviewed photo; None for one that only the model file knows."""
    label: str
    """The one it has."""
    other: str
    """The one that speaks against it."""
    reason: str


def find_lookalikes(stored: Floats, covariance: PooledCovariance, new: Floats) -> NDArray[np.bool_]:
    """Return which stored photos [photos] look more like a new label than its own photos do.

    stored [photos, dimensions] are coordinates of photos with other labels, covariance theirs, new [photos, dimensions]
    those of the new label, of which two are needed.
    """
    if len(new) < 2:
        return np.zeros(len(stored), bool)
    variances = (1 - _SHRINKAGE) * covariance.variances + _SHRINKAGE * max(float(covariance.variances.mean()), 1e-12)
    turned = (covariance.axes / np.sqrt(variances)).astype(np.float32)
    points = np.concatenate([stored @ turned, new @ turned])
    lengths = np.einsum("pd,pd->p", points, points, dtype=np.float64)
    others = np.min([_distances(points, lengths, mean) for mean in covariance.means @ turned], axis=0)
    own = np.arange(len(points)) >= len(stored)
    found = own
    for quantile in _LEAST_LIKE:
        found, nearer = _gather_alike(points, lengths, others, own, quantile)
        added = nearer[found & ~own]
        above = int((added >= np.median(nearer[own])).sum())
        # photos of the label are spread as its own ones, half of them above the median; what resembles it is below
        if _find_chance(above, len(added), _LIKELY * 0.5 / (1 - quantile)) >= _CHANCE:
            break
    return found[: len(stored)]


def _gather_alike(
    points: Floats, lengths: Matrix, others: Matrix, own: NDArray[np.bool_], quantile: float
) -> tuple[NDArray[np.bool_], Matrix]:
    """Return a label's own photos and those that look like it [photos], and by how much all are nearer to it.

    points [photos, dimensions] have such squared lengths and such squared distances from the nearest other label.
    """
    inside, nearer = own.copy(), np.zeros(len(points))
    for _ in range(_ROUNDS):
        members = int(inside.sum())
        distance = _distances(points, lengths, points[inside].mean(axis=0, dtype=np.float64))
        distance[inside] *= (members / (members - 1)) ** 2  # from the mean of the others alone
        nearer = others - distance
        # nearer to the new label than to any other, too: where labels overlap, the quantile is on the others' side
        found = (nearer >= max(float(np.quantile(nearer[own], quantile)), 0.0)) | own
        if (found == inside).all():
            break
        inside = found
    return inside, nearer


def _find_chance(above: int, found: int, share: float) -> float:
    """Return the probability of at most so many above the median among the found photos, given the share expected."""
    ways = [math.lgamma(found + 1) - math.lgamma(k + 1) - math.lgamma(found - k + 1) for k in range(above + 1)]
    below = math.log1p(-share)
    return math.fsum(math.exp(way + k * math.log(share) + (found - k) * below) for k, way in enumerate(ways))


def _distances(points: Floats, lengths: Matrix, place: Matrix) -> Matrix:
    """Return the squared distances of points [photos, dimensions], of such squared lengths, from a place."""
    return np.asarray(lengths - 2.0 * (points @ place.astype(np.float32)) + place @ place)


def find_twins(
    first: Floats, first_labels: NDArray[np.integer], second: Floats, second_labels: NDArray[np.integer]
) -> NDArray[np.intp]:
    """Return the place in second of a near-duplicate with another label, for each of first [photos]; -1 without one.

    first and second are embeddings [photos, width], with labels [photos].
    """
    others, twins = normalise(second), np.full(len(first), -1, np.intp)
    if not len(second):
        return twins
    for at in range(0, len(first), _ROWS):
        block = slice(at, at + _ROWS)
        found = (normalise(first[block]) @ others.T >= SIMILARITY) & (first_labels[block, None] != second_labels)
        twins[block] = np.where(found.any(axis=1), found.argmax(axis=1), -1)
    return twins


def describe_lookalike(sha256: str, label: str, other: str, own: int) -> Contradiction:
    """Return the contradiction of a stored photo, given how many own photos the other label has."""
    return Contradiction(
        sha256, None, label, other,
        f"stored as {label}, but looks more like {other} than {other}'s own {own} photos like one another",
    )  # fmt: skip


def describe_same(sha256: str, name: str | None, label: str, other: str, twin: str) -> Contradiction:
    """Return the contradiction of a photo that is nearly the same as another, called twin, with another label."""
    return Contradiction(sha256, name, label, other, f"{label}, but nearly the same photo is {other}: {twin}")


def list_labels(contradictions: Sequence[Contradiction]) -> dict[str, int]:
    """Return how many there are by the label that speaks against."""
    found: dict[str, int] = {}
    for one in contradictions:
        found[one.other] = found.get(one.other, 0) + 1
    return found
