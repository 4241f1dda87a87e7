"""A file that is no model for dogid is refused with what it is and the next step."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from dogid.errors import UsageError
from dogid.model.classifier import load_model
from dogid.model.interpreter import choose_backend
from dogid.model.shipped import shipped_model
from tests.model.foreign_models import means, model_of, packed

tf = pytest.importorskip("tensorflow", reason="the models are made by TensorFlow")


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as refused:
        load_model(path)
    return str(refused.value)


def zipped(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), text)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.tflite", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        ("m.tflite", b"\n<!DOCTYPE html>\n<html>", "a web page, not the model: the download went wrong"),
        ("m.tflite", b"", "the file is empty: the download went wrong"),
        ("m.onnx", b"\x08\x07\x12\x07pytorch", "an ONNX model: pip install onnx2tf, then `onnx2tf -i"),
        ("m.tflite", b"\x08\x08:\x90\x01graph", "an ONNX model"),
        ("m.pt", zipped(best__data_pkl="x"), "PyTorch weights"),
        ("m.pth", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch weights"),
        ("m.h5", b"\x89HDF\r\n\x1a\n", "a Keras model: make a .tflite of it: dogid convert"),
        ("m.keras", zipped(config_json="{}", model_weights_h5="x").replace(b"config", b"config"), "a Keras model"),
        ("saved_model.pb", b"\x08\x01\x12\x04", "part of a SavedModel: give its folder to the converter"),
        ("m.pb", b"\x0a\x10", "a TensorFlow graph: make a .tflite of it: dogid convert"),
        ("tm.zip", zipped(model_json="{}", weights_bin="x"), "for TensorFlow.js: where it was made, export"),
        ("model.json", b'{"modelTopology": {}}', "for TensorFlow.js"),
        ("m.tflite.gz", b"\x1f\x8b\x08", "an archive: unpack it"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_other_files_are_named_with_the_next_step(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    assert f"{path}: not a TensorFlow Lite model, but " in refusal(path)
    assert reason in refusal(path)


@pytest.mark.parametrize(("element", "is_page"), [("svg", False), ("html", True)])
def test_xml_is_a_web_page_only_as_xhtml(element: str, is_page: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_text(f'<?xml version="1.0"?>\n<{element} xmlns="http://www.w3.org/"/>')

    assert ("a web page" in refusal(path)) is is_page


def with_custom_operator(code: str) -> bytes:
    """The shipped model with one more kind of operator, which comes first."""
    model = schema.ModelT.InitFromPackedBuf(shipped_model().read_bytes(), 0)
    kind = schema.OperatorCodeT()
    kind.builtinCode = kind.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    kind.customCode, kind.version = code.encode(), 1
    model.operatorCodes.append(kind)
    model.subgraphs[0].operators[0].opcodeIndex = len(model.operatorCodes) - 1
    return as_bytes(model)


def as_bytes(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        (
            "edgetpu-custom-op",
            "compiled for a Coral Edge TPU, which dogid does not use: take the same model's file without",
        ),
        ("FlexErf", "needs TensorFlow's own operators (FlexErf), which no TensorFlow Lite interpreter has"),
        ("MyNms", "operators of its author's own (MyNms)"),
    ],
)
def test_operators_that_no_interpreter_has_are_named(operator: str, reason: str, tmp_path: Path) -> None:
    message = refusal(packed(with_custom_operator(operator), tmp_path / "m.tflite", labels_txt="a\nb\nc\nd\n"))

    assert reason in message
    assert "pip install" not in message


def test_operator_that_the_interpreter_refuses_is_the_models_fault() -> None:
    model = schema.ModelT.InitFromPackedBuf(shipped_model().read_bytes(), 0)
    for code in model.operatorCodes:
        code.version = 99
    with pytest.raises(UsageError, match="the model cannot be loaded") as refused:
        choose_backend(as_bytes(model))

    assert "no TensorFlow Lite interpreter works here" not in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (lambda x: tf.argmax(means(x), 1), "its output is a class number (int64), without scores"),
        (lambda x: means(x) * float("nan"), "the model returns NaN for every image"),
        (
            lambda x: tf.nn.softmax(means(x) * 0 + np.array([1, 2, 3], np.float32)),
            "the same answer, 0.090, 0.245, 0.665",
        ),
        (lambda x: x[:, :8, :8], "is it a detection or segmentation model?"),
    ],
    ids=["class number", "nan", "constant", "image"],
)
def test_answers_that_cannot_be_right_are_refused(head: Any, reason: str, tmp_path: Path) -> None:
    assert reason in refusal(packed(model_of(head), tmp_path / "m.tflite", labels_txt="a\nb\nc\n"))


def test_answers_that_are_equal_by_saturation_are_accepted(tmp_path: Path) -> None:
    model = model_of(lambda x: tf.nn.softmax(means(x) * 0 + np.array([0, 0, 200], np.float32)))

    assert load_model(packed(model, tmp_path / "m.tflite", labels_txt="a\nb\nc\n")).labels == ("a", "b", "c")


def test_model_of_open_size_runs_at_the_size_that_is_set(tmp_path: Path) -> None:
    from dogid.model.model_file import InputOptions

    path = packed(model_of(lambda x: tf.nn.softmax(means(x)), shape=(1, None, None, 3)), tmp_path / "m.tflite")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")

    assert "takes images of any size: give the one it was trained with, --size N" in refusal(path)
    model = load_model(path, options=InputOptions(size=48))
    assert model.size == (48, 48)
    assert model.classifier().classify(np.full((48, 48, 3), (0, 255, 0), np.uint8)).argmax() == 1


def test_ultralytics_names_are_not_the_labels_of_another_task(tmp_path: Path) -> None:
    model = model_of(lambda x: tf.nn.softmax(means(x)))
    table = {"task": "classify", "names": {"0": "red", "1": "green", "2": "blue"}}
    path = packed(model, tmp_path / "m.tflite", metadata_json=json.dumps(table))
    loaded = load_model(path)

    assert (loaded.labels, loaded.input.setting) == (("red", "green", "blue"), "0..1")
