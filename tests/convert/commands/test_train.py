"""`dogid train`: one run on an untidy, divided data set, which the tests read."""

import hashlib
import io
import json
import shlex
import tempfile
import zipfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dogid.cli import main
from dogid.dataset.labelled_photos import find_photos
from dogid.model.classifier import load_model
from dogid.model.training_embeddings import read_hashes
from dogid.photo.decode import decode
from dogid_convert.commands import retrain as retrain_command
from dogid_convert.commands import train as train_command
from dogid_convert.conversion import gate, report
from tests.convert.training_material import make_folder, pattern_photo, small_graph
from tests.pages.markdown import find_commands


@dataclass(frozen=True)
class Trained:
    folder: Path
    stdout: str
    stderr: str
    retrain_stderr: str

    @property
    def model(self) -> Path:
        return self.folder / "mine.tflite"

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "mine.json").read_text()))


def page_commands() -> list[list[str]]:
    """Return the words of each command of dogid's in the page's recipe for own classes (convert/README.md)."""
    sections = ("A model of your own classes", "In two steps")
    found = [command.text for command in find_commands("convert/README.md") if command.section in sections]
    return [shlex.split(text)[1:] for text in found if text.startswith("dogid ")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """All commands of the page, on photos in train/ and test/, of which one is under two labels and one is broken."""
    folder = tmp_path_factory.mktemp("trained")
    photos = folder / "my-photos"
    make_folder(photos / "train", ("blue ", "red"), photos=12)
    make_folder(photos / "test", ("blue", "red"), photos=8, first=40)
    make_folder(folder / "other-photos", ("blue", "red"), photos=2, first=60)
    (photos / "train" / "red" / "copy.jpg").write_bytes(pattern_photo("blue ", 3))
    (photos / "train" / "red" / "broken.jpg").write_bytes(pattern_photo("red", 70)[:300])
    (photos / "test" / "red" / "blue.jpg").write_bytes(pattern_photo("blue", 90))  # a mistake to be shown
    outputs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DOGID_BASE", str(small_graph()))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for words in page_commands():
            if words[0] == "run":  # tests/chain runs it
                continue
            with (
                redirect_stdout(io.StringIO()) as stdout,
                redirect_stderr(io.StringIO()) as stderr,
            ):
                assert main(words) == 0, f"{words}: {stderr.getvalue()}"
            outputs[words[0]] = stdout.getvalue(), stderr.getvalue()
    assert {"train", "judge", "retrain", "convert", "data"} <= outputs.keys()
    return Trained(folder, *outputs["train"], outputs["retrain"][1])


def test_model_answers_unseen_photos(trained: Trained) -> None:
    loaded = load_model(trained.model)

    assert loaded.labels == ("blue", "red")
    for number, label in enumerate(("blue", "red")):
        pixels = decode(pattern_photo(label, 200), loaded.size).pixels
        assert loaded.classifier().classify(pixels).argmax() == number


def test_next_command_is_printed(trained: Trained) -> None:
    assert trained.stdout.splitlines()[-1].startswith("next: dogid run --model mine.tflite ")
    following = "next: dogid convert my-graph -o my-graph.tflite --calibrate my-photos"
    assert trained.retrain_stderr.splitlines()[-1].endswith(following)


def test_figures_are_of_the_photos_in_test(trained: Trained) -> None:
    training = trained.document["training"]

    assert training["held_out"]["split"] == "the photos in test/ and val/"
    assert training["held_out"]["photos"] == 17
    assert "test/red/blue.jpg" in [mistake["file"] for mistake in training["mistakes"]]
    assert training["photos"]["trained_on"] == 23
    assert trained.document["conversion"]["evaluation"]["converted"]["photos"] == 17
    assert trained.document["conversion"]["passed"] is True


def test_photo_under_two_labels_and_broken_one_are_named(trained: Trained) -> None:
    photos = trained.document["training"]["photos"]

    assert photos["conflicting_labels"] == [["train/blue /cam0__003.jpg", "train/red/copy.jpg"]]
    assert photos["unreadable"] == 1
    assert trained.stderr.count("the same photo is under two labels") == 1
    assert trained.stderr.count("broken.jpg") == 1


def test_page_shows_mistake_and_says_what_is_too_little(trained: Trained) -> None:
    page = (trained.folder / "mine.html").read_text()

    assert 'alt="test/red/blue.jpg"' in page
    assert "Photos of one burst or place flatter these figures" in page
    assert "with 30 or more a model is usually better" in page
    assert "<h2>As int8</h2>" in page
    assert "http" not in page


def test_model_names_the_version_of_its_photos(trained: Trained) -> None:
    with zipfile.ZipFile(trained.model) as archive:
        record = json.loads(archive.read("dogid.json"))

    document = json.loads((trained.folder / "my-graph" / "report.json").read_text())
    assert record["provenance"]["trained_on"]["data_version"] == document["data"]["version"]


def test_photos_in_test_are_not_among_those_to_learn_from(trained: Trained) -> None:
    hashes = read_hashes(trained.model)
    assert hashes is not None

    found = {photo.sha256: photo.for_judging for photo in find_photos(trained.folder / "my-photos").photos}
    broken = hashlib.sha256((trained.folder / "my-photos/train/red/broken.jpg").read_bytes()).hexdigest()
    assert hashes == {sha256 for sha256, for_judging in found.items() if not for_judging} - {broken}


def test_both_ways_give_the_same_model(trained: Trained) -> None:
    both = [load_model(trained.folder / name).classifier() for name in ("mine.tflite", "mine-again.tflite")]
    pixels = decode(pattern_photo("red", 300), both[0].size).pixels

    assert both[0].classify(pixels).tolist() == both[1].classify(pixels).tolist()


@pytest.mark.parametrize(
    ("out", "words"),
    [("photos/red/mine.tflite", "is inside"), ("nowhere/mine.tflite", "no such folder"), ("photos", "is a folder")],
)
def test_wrong_place_for_the_model_is_wrong_usage(
    out: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "photos", photos=1)

    assert main(["train", str(tmp_path / "photos"), "-o", str(tmp_path / out)]) == 2
    assert words in capsys.readouterr().err


def test_page_names_what_was_left_out_and_explains_its_words(trained: Trained) -> None:
    page = (trained.folder / "mine.html").read_text()

    assert "<h2>2 files left out</h2>" in page
    assert "<td>train/red/broken.jpg</td><td>truncated: " in page
    assert "<td>train/blue /cam0__003.jpg and train/red/copy.jpg</td><td>the same photo under two labels</td>" in page
    assert "Of 17 photos that it was not trained on, the model is right about " in page
    for word in ("macro recall", "calibration error", "agreement", "cross-validation"):
        assert f"<dt><b>{word}</b></dt>" in page
    assert "dogid-train-" not in page


def test_photos_to_judge_with_are_not_among_those_trained_on(trained: Trained) -> None:
    assert trained.stdout.splitlines()[0] == "trained on 23 photos (blue 11, red 12); 17 others to judge with"


def test_model_names_its_photos_and_command(trained: Trained) -> None:
    with zipfile.ZipFile(trained.model) as archive:
        provenance = json.loads(archive.read("dogid.json"))["provenance"]

    assert provenance["photos"] == "my-photos"
    assert provenance["command"] == "dogid train my-photos -o mine.tflite"
    assert list(provenance["graph"]) == ["sha256"]


def test_missing_label_for_everything_else_is_said_once(trained: Trained) -> None:
    assert trained.stderr.count("every photo will get one of these labels, whatever it shows") == 1


def test_name_without_an_ending_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "photos", ("Red", "red"), photos=8)
    monkeypatch.chdir(tmp_path)
    flags = ["--base", str(small_graph()), "--cache", "cache", "--dtype", "float32"]

    assert main(["train", "photos", "-o", "mine", *flags]) == 0
    printed = capsys.readouterr()
    assert "wrote mine.tflite" in printed.out
    assert {path.name for path in tmp_path.glob("mine*")} == {"mine.tflite", "mine.html", "mine.json"}
    assert "the folders Red and red become 2 labels: if they are the same" in printed.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere", "-o", "mine"], "nowhere does not exist"),
        (["photos/red", "-o", "mine"], "has no sub-folders"),
        (["photos", "-o", "mine", "--prior", "cat=2"], "no label 'cat'"),
        (["photos", "-o", "mine", "--base", "keras:other"], "no base keras:other"),
        (["photos", "-o", "mine", "--base", "nowhere.pb"], "nowhere.pb: no such file or folder"),
    ],
)
@pytest.mark.parametrize("command", ["train", "retrain"])
def test_refusals_do_not_wait_for_tensorflow(
    command: str, words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "photos", photos=1)
    monkeypatch.chdir(tmp_path)

    def load() -> None:
        raise AssertionError("TensorFlow was loaded")

    for module in (train_command, retrain_command):
        monkeypatch.setattr(module, "load_packages", load)
    with redirect_stderr(io.StringIO()) as stderr:
        assert main([command, *words]) == 2
    assert reason in stderr.getvalue()


@pytest.mark.parametrize(("name", "content"), [("mine.json", '{"my": "settings"}'), ("mine.html", "<p>My page</p>")])
def test_foreign_file_beside_the_model_is_not_replaced(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "photos", photos=1)
    (tmp_path / name).write_text(content)

    assert main(["train", str(tmp_path / "photos"), "-o", str(tmp_path / "mine.tflite")]) == 2
    assert "is there and no report of a training" in capsys.readouterr().err


def test_refused_model_leaves_the_report_of_the_kept_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "photos", photos=8)
    command = ["train", str(tmp_path / "photos"), "-o", str(tmp_path / "mine.tflite"), "--base", str(small_graph())]
    command += ["--cache", str(tmp_path / "cache"), "--dtype", "float32"]
    assert main(command) == 0
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("mine.*")}
    refusal = gate.Verdict(passed=False, reason="")
    monkeypatch.setattr(report, "decide", lambda *_: refusal)

    assert main([*command, "--epochs", "3"]) == 1

    assert "--epochs and --patience do nothing without --fine-tune" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.glob("mine.*")} == kept
    assert json.loads((tmp_path / "mine-refused.json").read_text())["model"] is None


def test_full_temporary_folder_error_names_tmpdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_folder(tmp_path / "photos", photos=1)
    monkeypatch.setattr(tempfile, "tempdir", "/proc/self")  # closed for writing, also for root

    command = ["train", str(tmp_path / "photos"), "-o", str(tmp_path / "mine.tflite")]
    assert main(command) == 1
    assert "set TMPDIR to another folder" in capsys.readouterr().err
