"""Keras files and SavedModel folders, frozen into a GraphDef."""

import importlib
import re
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from dogid.errors import DogidError, UsageError

_SIGNATURE = "serving_default"


def read_keras(path: Path, batch: int | None = 1) -> tf.compat.v1.GraphDef:
    """Return the graph of a .keras or .h5 file of any Keras; tf_keras reads those that recent Keras refuses.

    batch is how many images the graph takes at once, None any number.
    Raise DogidError with the reason of every loader that was tried.
    """
    reasons = []
    for module in ("keras", "tf_keras"):
        try:
            model = importlib.import_module(module).models.load_model(str(path), compile=False)
            return freeze_model(model, batch)
        except ImportError as error:
            reasons.append(f"{module}: not installed ({error}); try: pip install {module.replace('_', '-')}")
        except DogidError:
            raise
        except Exception as error:  # Keras raises nearly anything on files of other versions
            reasons.append(f"{module}: {_line(error)}")
    own = next((layer for reason in reasons if (layer := _own_layer(reason))), None)
    if own is not None:
        raise DogidError(
            f"{path}: the model has layers of its author's own code ({own}), which the file does not hold; where it "
            "was trained: model.export('FOLDER'), then convert that folder"
        )
    raise DogidError(f"{path}: cannot be loaded as a Keras model: {'; '.join(reasons)}")


def read_saved_model(folder: Path) -> tf.compat.v1.GraphDef:
    """Return the graph of a SavedModel's serving signature. Raise UsageError where there is none, or several."""
    if not (folder / "saved_model.pb").is_file() and not (folder / "saved_model.pbtxt").is_file():
        raise UsageError(f"{folder}: a folder without saved_model.pb, so no SavedModel")
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # the loader raises nearly anything on damaged folders
        raise DogidError(f"{folder}: the SavedModel cannot be loaded: {_line(error)}") from error
    signatures = dict(loaded.signatures)
    if len(signatures) > 1 and _SIGNATURE not in signatures:
        raise UsageError(f"{folder}: several signatures and none of them {_SIGNATURE}: {', '.join(signatures)}")
    if signatures:
        return _frozen(signatures.get(_SIGNATURE) or next(iter(signatures.values())))
    if callable(loaded):
        raise UsageError(f"{folder}: the SavedModel has no signature; save it again with model.export(...)")
    raise UsageError(f"{folder}: the SavedModel has no signature to classify with")


def freeze_model(model: Any, batch: int | None = 1) -> tf.compat.v1.GraphDef:
    """Return a Keras model as a frozen GraphDef with the input `input`, in inference mode; batch as in `read_keras`.

    Raise UsageError where it has several inputs or outputs.
    """
    inputs = model.inputs
    if len(inputs) != 1 or len(model.outputs) != 1:
        names = [tensor.name for tensor in inputs], [tensor.name for tensor in model.outputs]
        raise UsageError(
            f"the Keras model has several inputs {names[0]} or outputs {names[1]}; dogid runs models with one of each"
        )
    spec = tf.TensorSpec([batch, *inputs[0].shape[1:]], tf.float32, name="input")
    return _frozen(tf.function(lambda pixels: model(pixels, training=False)).get_concrete_function(spec))


def _frozen(function: Any) -> tf.compat.v1.GraphDef:
    return convert_variables_to_constants_v2(function).graph.as_graph_def()


def _own_layer(reason: str) -> str | None:
    """The name of a layer that Keras does not know, in its message; None where the message is about something else."""
    if "Lambda" in reason:
        return "Lambda"
    unknown = re.search(
        r"Unknown layer: '?(?:Custom>)?(\w+)|Could not locate (?:class|function) '(?:Custom>)?(\w+)'", reason
    )
    return None if unknown is None else unknown[1] or unknown[2]


def _line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    own = next((line for line in lines if _own_layer(line)), None)
    return (own or lines[0])[:300] if lines else type(error).__name__
