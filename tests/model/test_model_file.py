import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from dogid.errors import UsageError
from dogid.model.classifier import load_model
from dogid.model.model_file import read_model_file
from dogid.model.model_record import RECORD
from tests.model.small_models import LABELS, SIZE, flat, with_labels


@pytest.mark.parametrize("member", ["labels.txt", "labelmap.txt", "inat_bird_labels.txt", "imagenet.txt"])
def test_labels_in_zip_may_have_any_name(float_model: bytes, tmp_path: Path, member: str) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite", member)

    assert read_model_file(path).labels == LABELS


@pytest.mark.parametrize("name", ["model.txt", "model.tflite.txt", "labels.txt"])
def test_labels_are_found_beside_the_model(float_model: bytes, tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(float_model)
    (tmp_path / name).write_text("0 red\n1 green\n2 blue\n")

    assert read_model_file(path).labels == LABELS


@pytest.mark.parametrize("name", ["retrained_labels.txt", "output_labels.txt", "class_indices.json"])
def test_label_files_of_training_scripts_are_found(float_model: bytes, tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(float_model)
    table = '{"red": 0, "green": 1, "blue": 2}' if name.endswith("json") else "red\ngreen\nblue\n"
    (tmp_path / name).write_text(table)

    assert read_model_file(path).labels == LABELS


def test_labels_that_dogid_packed_keep_their_numbers(float_model: bytes, tmp_path: Path) -> None:
    labels = ("1 euro", "2 euro", "3 pounds")
    foreign = with_labels(float_model, tmp_path / "foreign.tflite", labels=("1 one", "2 two", "3 three"))
    ours = with_labels(float_model, tmp_path / "ours.tflite", labels=labels)
    with zipfile.ZipFile(ours, "a") as archive:
        archive.writestr(RECORD, "{}")

    assert read_model_file(ours).labels == labels
    assert read_model_file(foreign).labels == ("one", "two", "three")


def test_zip_with_one_model_and_its_labels_is_read(float_model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "converted_tflite.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/model.tflite", float_model)
        archive.writestr("folder/labels.txt", "0 red\n1 green\n2 blue\n")
    found = read_model_file(path)

    assert (found.labels, found.labels_from) == (LABELS, "labels.txt in converted_tflite.zip")
    assert found.data == float_model


def test_damaged_zip_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", "a model" * 100)
    content = bytearray(path.read_bytes())
    content[30 + len("model.tflite")] = 0xFF  # the first byte of the deflate stream
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"model\.zip: the zip is damaged: .*invalid block type; download it again"):
        read_model_file(path)


def test_zip_of_a_huge_model_is_to_be_unzipped(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.tflite", "")
        archive.getinfo("model.tflite").file_size = 2 << 30

    with pytest.raises(UsageError, match=r"the model in the zip has 2,147 MB; at most 268 MB are unpacked: unzip it"):
        read_model_file(path)


def test_labels_that_are_given_win(float_model: bytes, tmp_path: Path) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite")
    (tmp_path / "mine.txt").write_text("r\ng\nb\n")

    assert read_model_file(path, tmp_path / "mine.txt").labels == ("r", "g", "b")


def test_model_with_too_large_a_zip_is_refused(float_model: bytes, tmp_path: Path) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.bin", bytes(16 << 20))

    with pytest.raises(UsageError, match=r"model\.tflite: 50 MB of files are packed into the model; at most 34 MB"):
        read_model_file(path)


def test_a_text_file_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_text("not a model")

    with pytest.raises(UsageError, match="not a TensorFlow Lite model"):
        read_model_file(path)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.tflite: cannot read the model"):
        read_model_file(tmp_path / "missing.tflite")


def test_altered_weights_are_refused(float_model: bytes, tmp_path: Path) -> None:
    damaged = bytearray(float_model)
    damaged[len(damaged) // 2] ^= 0xFF
    path = tmp_path / "model.tflite"
    path.write_bytes(damaged)
    _append_record(path, {"weights_sha256": hashlib.sha256(float_model).hexdigest()})

    with pytest.raises(UsageError, match="damaged"):
        read_model_file(path)


def test_sealed_weights_that_are_whole_are_accepted(float_model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(float_model)
    _append_record(path, {"weights_sha256": hashlib.sha256(float_model).hexdigest()})

    assert read_model_file(path).record["weights_sha256"]


@pytest.mark.parametrize(("scores", "passes"), [((0.999, 0.0005, 0.0005), True), ((0.2, 0.5, 0.3), False)])
def test_a_model_proves_itself_on_its_golden_photo(
    float_model: bytes, tmp_path: Path, scores: tuple[float, ...], *, passes: bool
) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite")
    golden = io.BytesIO()
    Image.fromarray(flat((255, 0, 0))).save(golden, "PNG")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("golden.png", golden.getvalue())
        archive.writestr(RECORD, json.dumps({"golden": {"file": "golden.png", "scores": scores, "tolerance": 0.05}}))

    if passes:
        assert load_model(path).size == (SIZE, SIZE)
    else:
        with pytest.raises(UsageError, match="self-test"):
            load_model(path)


@pytest.mark.parametrize(
    ("data", "scores", "reason"),
    [
        (b"no image", (0.9, 0.05, 0.05), "the golden photo cannot be decoded"),
        (None, (0.9, 0.1), "3 scores instead of 2"),
    ],
)
def test_unusable_golden_photo_fails_self_test(
    float_model: bytes, tmp_path: Path, data: bytes | None, scores: tuple[float, ...], reason: str
) -> None:
    path = with_labels(float_model, tmp_path / "model.tflite")
    golden = io.BytesIO()
    Image.fromarray(flat((255, 0, 0))).save(golden, "PNG")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("golden.png", golden.getvalue() if data is None else data)
        archive.writestr(RECORD, json.dumps({"golden": {"file": "golden.png", "scores": scores, "tolerance": 0.05}}))

    with pytest.raises(UsageError, match=f"self-test.*{reason}"):
        load_model(path)


def _append_record(path: Path, record: dict[str, object]) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "\n".join(LABELS))
        archive.writestr(RECORD, json.dumps(record))


def test_labels_named_after_model_precede_folder_labels(float_model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(float_model)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    (tmp_path / "model.txt").write_text("\ufeffred\r\ngreen\r\nblue\r\n\r\n")

    assert read_model_file(path).labels == LABELS
