"""Normalisation by colour, and the order BGR, as a convolution in front of a network.

A model that dogid writes is fed pixels in the order RGB with one mean and one standard deviation. A convolution of
1 x 1 pixels makes of them what a network wants that was trained otherwise. int8 keeps it exact, as each of its outputs
has a scale of its own.
"""

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dogid.preprocessing import BGR, RGB, Normalisation
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.graph.surgery import make_constant, make_graph

_SUFFIX = "/pixels"


@dataclass(frozen=True, slots=True)
class ColourConvolution:
    """What makes of an image's colours x the network's: weights.T @ x + bias, in float32."""

    weights: NDArray[np.float32]
    """[3 in, 3 out]."""
    bias: NDArray[np.float32]


def split_normalisation(
    uniform: UniformNormalisation, given: Normalisation | None, channels: str | None
) -> tuple[UniformNormalisation, ColourConvolution | None]:
    """Return how to feed a model, and the convolution in front of it; None where uniform is all that it needs.

    given and channels are the user's. A given one by colour is what uniform's pixels stand for, as uniform was then
    found for an input of pixels 0..255; one that is alike for all colours is in uniform already.
    """
    channels = channels or uniform.channels
    plain = replace(uniform, channels=RGB)
    if given is None or given.is_uniform:
        if channels == RGB:
            return plain, None
        turned = _make(np.zeros(1), np.ones(1), channels)
        return replace(plain, reason=f"{uniform.reason}; BGR, by a convolution in front"), turned
    mean, std = np.array(given.mean, np.float64), np.array(given.std, np.float64)
    made = _make(mean + uniform.mean * std, std * uniform.std, channels)
    order = " in the order BGR" if channels == BGR else ""
    return UniformNormalisation(0.0, 1.0, f"a convolution in front makes {given} of them{order}"), made


def _make(mean: NDArray[np.float64], std: NDArray[np.float64], channels: str) -> ColourConvolution:
    """Return the convolution for a mean and std of one number or three, in the order RGB."""
    means, stds = np.broadcast_to(mean, 3), np.broadcast_to(std, 3)
    weights, bias = np.diag(1 / stds), -means / stds
    if channels == BGR:
        weights, bias = weights[:, ::-1], bias[::-1]
    return ColourConvolution(np.ascontiguousarray(weights, np.float32), np.ascontiguousarray(bias, np.float32))


def put_convolution_first(
    graph: tf.compat.v1.GraphDef, entrance: str, convolution: ColourConvolution
) -> tuple[tf.compat.v1.GraphDef, str]:
    """Put the convolution behind the placeholder called entrance; return the graph, and the placeholder's new name."""
    nodes = []
    for node in graph.node:
        if node.name != entrance:
            nodes.append(node)
            continue
        placeholder = tf.compat.v1.NodeDef()
        placeholder.CopyFrom(node)
        placeholder.name = entrance + _SUFFIX
        weights = make_constant(f"{entrance}/weights", convolution.weights[np.newaxis, np.newaxis])
        bias = make_constant(f"{entrance}/bias", convolution.bias)
        mixed = tf.compat.v1.NodeDef(name=f"{entrance}/colours", op="Conv2D", input=[placeholder.name, weights.name])
        mixed.attr["strides"].list.i.extend([1, 1, 1, 1])
        mixed.attr["padding"].s = b"VALID"
        added = tf.compat.v1.NodeDef(name=entrance, op="BiasAdd", input=[mixed.name, bias.name])
        for operator in (mixed, added):
            operator.attr["T"].type = tf.float32.as_datatype_enum
        nodes += [placeholder, weights, bias, mixed, added]
    return make_graph(nodes, graph), entrance + _SUFFIX
