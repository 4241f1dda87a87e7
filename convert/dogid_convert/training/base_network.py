"""Reading any base network as a backbone in plain form, which turns pixels into an embedding."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

from dogid.errors import DogidError, UsageError
from dogid_convert.graph import surgery
from dogid_convert.graph.network import Hints, cut_network, find_fitting_sides
from dogid_convert.graph.normalisation import UniformNormalisation
from dogid_convert.sources.content_hash import content_sha256
from dogid_convert.sources.graphdef import read_graph
from dogid_convert.sources.keras import freeze_model
from dogid_convert.sources.sniff import is_tflite
from dogid_convert.training.backbone import MEAN, STD, Backbone, cut_backbone
from dogid_convert.training.base_names import KERAS_PREFIX, check_keras_name

_USUAL = UniformNormalisation(MEAN, STD, "not stated by the graph: MobileNet's usual one")
_SLACK = 1.0  # in units of a pixel: 127.5, as Keras has it, is near enough
_DEFAULT_SIDE = 224  # pixels, where a graph does not say: what MobileNet was published with
_INCEPTION_SIDE = 299


def load(base: str, size: int | None = None, *, keras_weights: str | None = "imagenet") -> Backbone:
    """Return the backbone of a base: any graph that `dogid convert` reads, or `keras:NAME`.

    size is the side of the input in pixels, if it shall differ from the base's own.
    Raise UsageError or DogidError where there is no such base or it cannot be read.
    """
    if base.startswith(KERAS_PREFIX):
        graph, sha256 = _from_applications(base.removeprefix(KERAS_PREFIX), size, keras_weights)
        return _backbone(graph, base, sha256, size)
    path = Path(base)
    if is_tflite(path):
        raise UsageError(
            f"the base {base} is a .tflite model, which cannot be trained; give the graph it was made from"
        )
    try:
        graph = read_graph(path, batch=None)
    except DogidError as error:
        raise UsageError(f"the base cannot be used: {error}") from error
    return _backbone(graph, base, content_sha256(path), size)


def drop_repeats(backbones: Sequence[Backbone]) -> list[Backbone]:
    """Return the backbones without those that have the weights of an earlier one, as the shipped model's may."""
    first: dict[frozenset[bytes], Backbone] = {}
    for backbone in backbones:
        first.setdefault(_weights(backbone), backbone)
    return list(first.values())


def _weights(backbone: Backbone) -> frozenset[bytes]:
    """Return the contents of the kernels, whatever they are called."""
    constants = (surgery.read_constant(node) for node in backbone.graph.node if node.op == "Const")
    return frozenset(hashlib.sha256(values.tobytes()).digest() for values in constants if values.ndim == 4)


def _backbone(graph: tf.compat.v1.GraphDef, name: str, sha256: str, size: int | None) -> Backbone:
    # the oldest graphs begin with a constant where the JPEG goes in: all behind it would be constant, too
    try:
        cut, entrance, answer = cut_network(graph, Hints(), _USUAL)
    except DogidError as error:
        raise type(error)(f"the base {name} cannot be used: {error}") from error
    wants = entrance.normalisation
    if abs(wants.mean - MEAN) > _SLACK or abs(wants.std - STD) > _SLACK:
        raise UsageError(
            f"the base {name} wants (pixel - {wants.mean:g}) / {wants.std:g} ({wants.reason}): dogid retrains networks "
            f"that want (pixel - {MEAN:g}) / {STD:g}, as MobileNets and Inception v3 do"
        )
    own = (size, size) if size is not None else entrance.size or _fitting_size(cut, entrance.tensor, answer.tensor)
    return cut_backbone(cut, entrance.tensor, answer.tensor, own, name, sha256)


def _fitting_size(graph: tf.compat.v1.GraphDef, entrance: str, output: str) -> tuple[int, int]:
    """Return the input size of a graph without one: the size that its last pooling was made for."""
    sides = find_fitting_sides(graph, entrance, output)
    # a network that pools over all fits any; one with a window of its own also fits a little more than it was made for
    side = _DEFAULT_SIDE if not sides or _DEFAULT_SIDE in sides else sides[0]
    return side, side


def _from_applications(name: str, size: int | None, weights: str | None) -> tuple[tf.compat.v1.GraphDef, str]:
    check_keras_name(name)
    known: dict[str, Callable[..., tf.keras.Model]] = {
        "mobilenet_v1": tf.keras.applications.MobileNet,
        "mobilenet_v2": tf.keras.applications.MobileNetV2,
        "inception_v3": tf.keras.applications.InceptionV3,
    }
    side = size or (_INCEPTION_SIDE if name == "inception_v3" else _DEFAULT_SIDE)
    try:
        model = known[name](input_shape=(side, side, 3), include_top=False, pooling="avg", weights=weights)
    except Exception as error:  # whatever its downloader raises
        raise DogidError(
            f"the weights of {KERAS_PREFIX}{name} cannot be downloaded: {error}. "
            "Without internet give a file with --base"
        ) from error
    digest = hashlib.sha256()
    for value in model.get_weights():
        digest.update(value.tobytes())
    return freeze_model(model, batch=None), digest.hexdigest()
