"""A model of mean colours is judged on photos of one colour: what it answers is known."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dogid.cli import main
from dogid.model.member_names import TRAINING_EMBEDDINGS
from dogid.model.training_embeddings import TrainingEmbeddings, encode
from tests.model.small_models import convert, mean_colour_model, with_labels
from tests.support.daemon import environment
from tests.support.photos import encode as encode_photo
from tests.support.photos import put

RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bare = convert(mean_colour_model(softmax=True))
    return with_labels(bare, tmp_path_factory.mktemp("judged") / "colours.tflite")


def draw(folder: Path, colour: tuple[int, int, int], photos: int) -> None:
    for number in range(photos):
        shade = tuple(level + number for level in colour)
        put(folder / f"{number}.png", encode_photo(Image.new("RGB", (40, 40), shade), "PNG"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Red and green ones, of which one green one lies under red."""
    draw(tmp_path / "photos" / "red", RED, 4)
    draw(tmp_path / "photos" / "green", GREEN, 5)
    (tmp_path / "photos" / "green" / "0.png").rename(tmp_path / "photos" / "red" / "green.png")
    return tmp_path / "photos"


def judged(capsys: pytest.CaptureFixture[str], model: Path, photos: Path, status: int = 0) -> dict[str, Any]:
    assert main(["judge", str(model), str(photos), "--json"]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_figures_are_those_of_the_photos(model: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = judged(capsys, model, photos)

    assert found["photos"]["per_label"] == {"red": 5, "green": 4}
    assert found["accuracy"] == pytest.approx(8 / 9)
    assert found["macro_recall"] == pytest.approx((0.8 + 1) / 2)
    assert found["recall"] == {"red": pytest.approx(0.8), "green": 1.0}
    assert found["recall_95"]["red"] == pytest.approx([0.376, 0.964], abs=1e-3)  # Wilson 1927
    assert found["confusion"] == {"labels": ["red", "green"], "counts": [[4, 1], [0, 4]]}
    assert [(one["file"], one["label"], one["predicted"]) for one in found["mistakes"]] == [
        ("red/green.png", "red", "green")
    ]
    assert found["latency_ms"]["invoke"] > 0
    assert sum(one["photos"] for one in found["calibration"]) == 9


def test_text_names_labels_without_photos_and_mistakes(
    model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", str(model), str(photos)]) == 0

    text = capsys.readouterr().out
    assert "top-1 88.9 %" in text
    assert "no photos of blue" in text
    assert "red: 80.0 % of 5 (95 %: 37.6 to 96.4)" in text
    assert "red/green.png: red, answered green" in text


def test_page_shows_each_mistake(model: Path, photos: Path, tmp_path: Path) -> None:
    assert main(["judge", str(model), str(photos), "--report", str(tmp_path / "page.html")]) == 0

    page = (tmp_path / "page.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert 'alt="red/green.png"' in page
    assert "<svg" in page
    assert "http" not in page
    assert json.loads((tmp_path / "page.json").read_text())["accuracy"] == pytest.approx(8 / 9)


def test_folder_of_an_unknown_label_is_named_and_left_out(
    model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(photos / "yellow", (200, 200, 20), 3)
    (photos / "green").rename(photos / "Green ")  # case and blanks do not count

    found = judged(capsys, model, photos)

    assert found["photos"]["unknown_labels"] == {"yellow": 3}
    assert found["photos"]["judged"] == 9
    main(["judge", str(model), str(photos)])
    assert "3 photos in the folder 'yellow': the model has no such label; it has red, green, blue" in (
        capsys.readouterr().out
    )


def test_no_known_label_is_wrong_usage(model: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "green").rename(photos / "cat")
    (photos / "red").rename(photos / "dog")

    assert main(["judge", str(model), str(photos)]) == 2
    assert "none of the labels cat, dog; it has red, green, blue: rename the folders" in capsys.readouterr().err


def test_unreadable_photos_are_named_and_status_is_1(
    model: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (photos / "red" / "empty.jpg").touch()

    found = judged(capsys, model, photos, status=1)

    assert sorted(one["file"] for one in found["photos"]["unreadable"]) == ["red/broken.jpg", "red/empty.jpg"]
    assert found["photos"]["judged"] == 9


def test_of_a_divided_data_set_only_test_is_judged(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "train" / "red", RED, 4)
    draw(tmp_path / "train" / "blue", BLUE, 4)
    draw(tmp_path / "val" / "blue", (0, 0, 100), 2)

    found = judged(capsys, model, tmp_path)

    assert found["photos"]["per_label"] == {"blue": 2}
    assert found["photos"]["only_test"]


def test_photos_that_the_model_was_made_with_are_counted(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = tmp_path / "trained.tflite"
    trained.write_bytes(model.read_bytes())
    known = [hashlib.sha256(photo.read_bytes()).hexdigest() for photo in sorted((photos / "red").iterdir())[:3]]
    with zipfile.ZipFile(trained, "a") as archive:
        vectors = TrainingEmbeddings(np.ones((3, 8), np.float32), np.zeros(3, int), tuple(known), np.zeros(3, bool))
        archive.writestr(TRAINING_EMBEDDINGS, encode(vectors))

    assert judged(capsys, trained, photos)["photos"]["trained_on"] == 3
    assert judged(capsys, model, photos)["photos"]["trained_on"] is None
    main(["judge", str(trained), str(photos)])
    assert "3 of these photos are among those that the model was made with" in capsys.readouterr().out


def test_judging_needs_no_training_packages(model: Path, photos: Path) -> None:
    code = (
        "import sys\nfor name in ('tensorflow', 'scipy', 'sklearn', 'matplotlib', 'dogid_convert'):\n"
        "    sys.modules[name] = None\n"
        "from dogid.cli import main\nsys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "judge", str(model), str(photos)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)

    assert done.returncode == 0, done.stderr
    assert "top-1 88.9 %" in done.stdout


def test_broken_photo_may_have_any_name(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(os.path.join(os.fsencode(photos), b"red", b"caf\xe9.jpg"), "wb") as file:
        file.write(b"no photo")

    assert main(["judge", str(model), str(photos), "--report", str(tmp_path / "page")]) == 1

    assert "1 unreadable, left out" in (text := capsys.readouterr().out)
    assert "red/caf%E9.jpg: " in text
    assert "red/caf%E9.jpg" in (tmp_path / "page.html").read_text()
    assert json.loads((tmp_path / "page.json").read_text())["photos"]["unreadable"][0]["file"] == "red/caf%E9.jpg"


def test_report_is_kept_apart_from_photos(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = put(tmp_path / "pug.jpg", b"")
    for path, reason in (
        (photos / "red" / "page.html", "among the photos"),
        (other, "is there already, and no report"),
    ):
        assert main(["judge", "not-opened.tflite", str(photos), "--report", str(path)]) == 2
        assert f"{path}: " in (message := capsys.readouterr().err)
        assert reason in message


def test_closed_report_folder_is_found_before_judging(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = "/proc/self"  # closed for writing, also for root

    assert main(["judge", "not-opened.tflite", str(photos), "--report", f"{closed}/page"]) == 2
    assert f"{closed}: No such file or directory: nothing can be written there" in capsys.readouterr().err


def test_memory_limits_what_is_judged(model: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(photos / "red" / "large.png", encode_photo(Image.new("RGB", (4000, 3000), RED), "PNG"))
    assert main(["judge", str(model), str(photos), "--json", "--memory", "40"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["photos"]["per_label"] == {"red": 5, "green": 4}
    assert "40 MB are there for that (memory)" in json.dumps(found)


def test_intervals_by_source_are_wider(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight sources of six photos, of which two are all wrong: eight draws and not 48."""
    for source in "abcdefgh":
        wrong = source in "ab"
        for number in range(6):
            colour = (20, 200 - number, ord(source) % 40) if wrong else (200 - number, 20, ord(source) % 40)
            put(
                tmp_path / "photos" / "red" / f"{source}__{number}.png",
                encode_photo(Image.new("RGB", (40, 40), colour), "PNG"),
            )
    photos, by_source = tmp_path / "photos", ["--group-by", "[a-z]+"]

    found = [judged(capsys, model, photos)]
    assert main(["judge", str(model), str(photos), "--json", *by_source]) == 0
    found.append(json.loads(capsys.readouterr().out))
    assert main(["judge", str(model), str(photos), *by_source]) == 0

    assert "a bootstrap over the 8 sources" in capsys.readouterr().out
    assert [one["photos"]["groups"] for one in found] == [None, 8]
    assert [one["accuracy"] for one in found] == [0.75, 0.75]
    widths = [one["accuracy_95"][1] - one["accuracy_95"][0] for one in found]
    assert widths[1] == pytest.approx(widths[0] * 6**0.5, rel=0.2)


def test_one_source_alone_is_wrong_usage(model: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(model), str(photos), "--group-by", "x*"]) == 2
    assert "finds the same source in the names of all photos" in capsys.readouterr().err
