"""Reading a trained classifier in any common form, recognised by content, not by name."""

from pathlib import Path

import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from dogid.errors import DogidError, UsageError
from dogid.model.other_formats import explain_download, explain_foreign_model, zip_names

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"


def read_graph(path: Path, batch: int | None = 1) -> tf.compat.v1.GraphDef:
    """Return the frozen graph in a GraphDef (binary or text), SavedModel folder, .keras or .h5 file.

    batch is how many images the graph made of a Keras file takes at once, None any number.
    Raise UsageError where it is none of them, DogidError where it is damaged.
    """
    if path.is_dir() or path.name in ("saved_model.pb", "saved_model.pbtxt"):
        from dogid_convert.sources.keras import read_saved_model

        return read_saved_model(path if path.is_dir() else path.parent)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the graph: {error.strerror}") from error
    reason = explain_download(data) or explain_foreign_model(path, data)
    if reason is not None:
        raise UsageError(f"{path}: {reason}")
    if data.startswith(_ZIP) and (inside := _find_inside(data)):
        raise UsageError(f"{path}: a zip with {inside}: unpack it, and give {inside}, with its labels.txt beside it")
    if data.startswith((_HDF5, _ZIP)):
        from dogid_convert.sources.keras import read_keras

        return read_keras(path, batch)
    return _text(path, data) if _is_text(data) else _binary(path, data)


def _find_inside(data: bytes) -> str | None:
    """The model in a zip that is none itself, as Teachable Machine's of Keras models."""
    names = zip_names(data)
    models = [name for name in names if name.endswith((".h5", ".keras", "saved_model.pb"))]
    return models[0] if models and "config.json" not in names else None


def _binary(path: Path, data: bytes) -> tf.compat.v1.GraphDef:
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(data)
    except DecodeError as error:
        raise DogidError(
            f"{path}: not a frozen graph, or cut off (a copy that did not finish?): {len(data):,} bytes that do not "
            "parse as a GraphDef"
        ) from error
    if not graph.node or not all(node.op for node in graph.node):
        raise DogidError(f"{path}: not a frozen graph: it parses as a GraphDef without nodes")
    return graph


def _text(path: Path, data: bytes) -> tf.compat.v1.GraphDef:
    graph = tf.compat.v1.GraphDef()
    try:
        text_format.Parse(data.decode("utf-8"), graph)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        first = data.lstrip()[:40].decode("utf-8", "replace").splitlines()
        raise UsageError(
            f"{path}: a text file ({first[0] if first else ''!r} ...), not a graph: give the .pb, .pbtxt, .keras, "
            ".h5 or .tflite file or the SavedModel folder"
        ) from error
    if not graph.node:
        raise UsageError(f"{path}: a text file without nodes, not a graph")
    return graph


def _is_text(data: bytes) -> bool:
    return b"\0" not in data[:4096] and all(byte >= 32 or byte in b"\t\n\r\f" for byte in data[:512])
