"""Any base as one thing: a backbone in plain form that turns pixels into an embedding."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError

from dogid.errors import DogidError, UsageError
from dogid_convert.graph import strip_training
from dogid_convert.graph.find_input import find_entrance
from dogid_convert.graph.find_output import find_answer
from dogid_convert.graph.network import cut_at, fitting_sides
from dogid_convert.graph.normalisation import Normalisation
from dogid_convert.training.backbone import MEAN, STD, Backbone, cut_backbone

KERAS_PREFIX = "keras:"
_KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
_GRAPH_NAME = "retrained_graph.pb"
_USUAL = Normalisation(MEAN, STD, "not told by the graph: MobileNet's usual one")
_SLACK = 1.0  # in units of a pixel: 127.5, as Keras has it, is near enough
_DEFAULT_SIDE = 224  # pixels, where a graph does not say: what MobileNet was published with
_INCEPTION_SIDE = 299


def load(base: str | None, size: int | None = None, *, keras_weights: str | None = "imagenet") -> Backbone:
    """Return the backbone of a base: a frozen GraphDef, a Keras file, `keras:NAME`, or None for the shipped graph.

    size is the side of the input in pixels, if it shall differ from the base's own.
    Raise UsageError or DogidError where there is no such base or it cannot be read.
    """
    name = base if base is not None else str(default_base())
    if name.startswith(KERAS_PREFIX):
        graph, sha256 = _from_applications(name.removeprefix(KERAS_PREFIX), size, keras_weights)
        return _backbone(graph, name, sha256, size)
    path = Path(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the base {name} cannot be read: {error.strerror}") from error
    sha256 = hashlib.sha256(content).hexdigest()
    if path.suffix.lower() in _KERAS_SUFFIXES:
        return _backbone(_from_keras_file(path), name, sha256, size)
    return _backbone(_from_graph_file(content, name), name, sha256, size)


def default_base() -> Path:
    """Return the graph that dogid ships: where DOGID_BASE says, in the source tree, or in the user's data folder."""
    if os.environ.get("DOGID_BASE"):
        return Path(os.environ["DOGID_BASE"])
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    candidates = (Path(__file__).parents[3] / "models" / _GRAPH_NAME, data / "dogid" / _GRAPH_NAME)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise UsageError(
        f"no base to retrain: an installed dogid carries no float graph. Give one with --base (a frozen graph, a Keras "
        f"file or {KERAS_PREFIX}mobilenet_v2), or copy models/{_GRAPH_NAME} of dogid's repository to {candidates[-1]}, "
        f"or name it in DOGID_BASE"
    )


def _backbone(graph: tf.compat.v1.GraphDef, name: str, sha256: str, size: int | None) -> Backbone:
    output = find_answer(graph, None).tensor
    clean = strip_training.for_use(graph, output, None)
    entrance = find_entrance(clean, None, None, _USUAL)
    wants = entrance.normalisation
    if abs(wants.mean - MEAN) > _SLACK or abs(wants.std - STD) > _SLACK:
        raise UsageError(
            f"the base {name} wants (pixel - {wants.mean:g}) / {wants.std:g} ({wants.reason}): dogid retrains networks "
            f"that want (pixel - {MEAN:g}) / {STD:g}, as MobileNets and Inception v3 do"
        )
    # the oldest graphs begin with a constant where the JPEG goes in: all behind it would be constant, too
    cut = cut_at(clean, entrance.tensor, output)
    own = (size, size) if size is not None else entrance.size or _fitting_size(cut, entrance.tensor, output)
    return cut_backbone(cut, entrance.tensor, output, own, name, sha256)


def _fitting_size(graph: tf.compat.v1.GraphDef, entrance: str, output: str) -> tuple[int, int]:
    """Return the size of a graph that does not tell it: what its last pooling was made for."""
    sides = fitting_sides(graph, entrance, output)
    # a network that pools over all fits any; one with a window of its own also fits a little more than it was made for
    side = _DEFAULT_SIDE if not sides or _DEFAULT_SIDE in sides else sides[0]
    return side, side


def _from_graph_file(content: bytes, name: str) -> tf.compat.v1.GraphDef:
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(content)
    except DecodeError as error:
        raise UsageError(f"the base {name} is no frozen TensorFlow graph (and no .h5 or .keras file)") from error
    if not graph.node:
        raise UsageError(f"the base {name} is no frozen TensorFlow graph: it has no nodes")
    if any(node.op in ("VariableV2", "VarHandleOp") for node in graph.node):
        raise UsageError(f"the base {name} is not frozen: its weights are variables; freeze it first")
    return graph


def _from_keras_file(path: Path) -> tf.compat.v1.GraphDef:
    try:
        model = tf.keras.models.load_model(path, compile=False)
    except Exception as error:  # keras raises nearly anything on files of other versions
        raise UsageError(f"the base {path} cannot be loaded by Keras {tf.keras.__version__}: {error}") from error
    return frozen(model)


def _from_applications(name: str, size: int | None, weights: str | None) -> tuple[tf.compat.v1.GraphDef, str]:
    known: dict[str, Callable[..., tf.keras.Model]] = {
        "mobilenet_v1": tf.keras.applications.MobileNet,
        "mobilenet_v2": tf.keras.applications.MobileNetV2,
        "inception_v3": tf.keras.applications.InceptionV3,
    }
    if name not in known:
        raise UsageError(f"no base {KERAS_PREFIX}{name}: there are {', '.join(KERAS_PREFIX + n for n in known)}")
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
    return frozen(model), digest.hexdigest()


def frozen(model: tf.keras.Model) -> tf.compat.v1.GraphDef:
    """Return a Keras model as a frozen GraphDef with the input `input`, in inference mode."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    height, width = model.input_shape[1:3]
    shape = [None, height or _DEFAULT_SIDE, width or _DEFAULT_SIDE, 3]
    function = tf.function(lambda pixels: model(pixels, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="input"))
    graph: tf.compat.v1.GraphDef = convert_variables_to_constants_v2(concrete).graph.as_graph_def()
    return graph
