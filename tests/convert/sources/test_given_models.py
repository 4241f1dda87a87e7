"""Small models of others convert to what answers rightly, or are refused with the reason and the way out."""

# what needs TensorFlow is imported only where it is installed

from pathlib import Path

import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.errors import DogidError
from dogid.model.classifier import load_model
from dogid.photo.decode import decode
from dogid_convert.conversion.convert import ConversionOptions, convert
from dogid_convert.conversion.package_model import package
from dogid_convert.graph.network import Hints
from dogid_convert.support.progress import untracked
from tests.support.collection import SMALL_MODELS, needs

pytestmark = needs(SMALL_MODELS)


@pytest.mark.parametrize(
    "model",
    [
        "takes_0_to_1.tflite",
        "takes_0_to_255.tflite",
        "resizes_first.tflite",
        "pads_first.tflite",
        "scales_by_channel_first.tflite",
        "ultralytics_old.tflite",
        "ultralytics_new.tflite",
        "teachable_machine.zip",
        "any_size.tflite",
    ],
)
def test_converted_model_answers_rightly(model: str, tmp_path: Path) -> None:
    hints = Hints(side=32) if model == "any_size.tflite" else Hints()
    options = ConversionOptions(graph=SMALL_MODELS / model, dtype="float32", hints=hints)
    (tmp_path / "m.tflite").write_bytes(package(convert(options, untracked), options))
    classifier = load_model(tmp_path / "m.tflite").classifier()

    for label in ("bright", "dark"):
        photo = decode((SMALL_MODELS / f"{label}.png").read_bytes(), classifier.size)
        assert classifier.labels[int(classifier.classify(photo.pixels).argmax())] == label


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("class_number_only.tflite", "its output is a class number.*without the argmax"),
        ("gray.tflite", "it takes grey images, and dogid runs it as it is"),
        ("int8_inside_float_outside_0_to_1.tflite", "quantized already.*dogid runs it as it is"),
        ("any_size.tflite", "images of any size: give the one it was trained with, --size N"),
        ("lfs_pointer.tflite", "a Git LFS pointer, not the model itself: run `git lfs pull`"),
        ("web_page.h5", "a web page, not the model: the download went wrong"),
    ],
)
def test_what_does_not_convert_is_refused_with_a_way_out(model: str, reason: str) -> None:
    options = ConversionOptions(graph=SMALL_MODELS / model, dtype="float32")

    with pytest.raises(DogidError, match=reason):
        convert(options, untracked)
