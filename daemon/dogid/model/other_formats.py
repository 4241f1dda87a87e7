"""Recognising files that are no TensorFlow Lite model, by their content, with what to do about each."""

import io
import zipfile
from pathlib import Path

_HEAD = 4096
_CONVERT = "make a .tflite of it: dogid convert {path} -o MODEL.tflite"
_TORCH_PICKLE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # the magic number of torch.save before zip files
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_LEAST_ONNX_VERSION = 3  # ir_version; a SavedModel's saved_model.pb has a 1 in its place

_PYTORCH = (
    "PyTorch weights, which need their program: export the model where it was trained, Ultralytics' by "
    "model.export(format='tflite'), others by ai-edge-torch or torch.onnx.export and onnx2tf"
)
_ONNX = "an ONNX model: pip install onnx2tf, then `onnx2tf -i {path} -o FOLDER` makes a .tflite"
_TENSORFLOW_JS = (
    "a model for TensorFlow.js: where it was made, export it for TensorFlow Lite instead (in Teachable Machine: Export "
    "Model, Tensorflow Lite, Floating point)"
)


def explain_format(path: Path, data: bytes) -> str | None:
    """Given a file's path and content, return what it is and what to do, where it is a known kind and no `.tflite`."""
    found = _explain(path, data[:_HEAD], data)
    return None if found is None else found.format(path=path)


def explain_download(data: bytes) -> str | None:
    """Given a file's content, return what it is where a download gave something else than the model's file."""
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not data:
        return "the file is empty: the download went wrong, get it again"
    if head.startswith(b"version https://git-lfs"):
        return (
            "a Git LFS pointer, not the model itself: run `git lfs pull` in the clone, or download the file from the "
            "repository's web page"
        )
    is_xhtml = head.startswith(b"<?xml version") and b"<html" in head
    if is_xhtml or head.startswith((b"<!doctype html", b"<html", b"<head")):
        return (
            "a web page, not the model: the download went wrong; get the file itself (on GitHub by the button Download "
            "raw file)"
        )
    return None


def explain_foreign_model(path: Path, data: bytes) -> str | None:
    """Given a file's path and content, return what it is where neither the daemon nor the converter can read it."""
    found = _explain_foreign(path, data[:_HEAD], data)
    return None if found is None else found.format(path=path)


def _explain(path: Path, head: bytes, data: bytes) -> str | None:
    download = explain_download(data)
    if download is not None:
        return download.replace("{", "{{").replace("}", "}}")
    foreign = _explain_foreign(path, head, data)
    if foreign is not None:
        return foreign
    if head.startswith(_HDF5):
        return f"a Keras model: {_CONVERT}"
    if head.startswith(_ZIP) and "model.weights.h5" in zip_names(data):
        return f"a Keras model: {_CONVERT}"
    if path.name == "saved_model.pb":
        return "part of a SavedModel: give its folder to the converter, dogid convert FOLDER -o MODEL.tflite"
    if path.suffix.lower() in (".pb", ".pbtxt"):
        return f"a TensorFlow graph: {_CONVERT}"
    return None


def _explain_foreign(path: Path, head: bytes, data: bytes) -> str | None:
    ending = path.suffix.lower()
    if ending == ".onnx" or _is_onnx(head):
        return _ONNX
    if head.startswith(_TORCH_PICKLE):
        return _PYTORCH
    if head.startswith(_ZIP):
        names = zip_names(data)
        if any(name.endswith("/data.pkl") for name in names):
            return _PYTORCH
        if any(name.endswith("model.json") for name in names) and not any(n.endswith(".tflite") for n in names):
            return _TENSORFLOW_JS
    if head.lstrip().startswith(b"{") and b'"modelTopology"' in data[:100_000]:
        return _TENSORFLOW_JS
    if head[8:10] == b'{"' and ending == ".safetensors":
        return "weights alone (safetensors), which need their program: export the model where it was trained"
    if head.startswith((b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!")):
        return "an archive: unpack it, and give the model that is in it"
    return None


def _is_onnx(head: bytes) -> bool:
    """Whether bytes begin as ONNX' ModelProto does: ir_version, then the producer's name, an import or the graph."""
    return (
        len(head) > 3
        and head[0] == 0x08
        and _LEAST_ONNX_VERSION <= head[1] < 64
        and head[2] in (0x12, 0x1A, 0x22, 0x3A, 0x42)
    )


def zip_names(data: bytes) -> list[str]:
    """Return the names in a zip; none where it is damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []
