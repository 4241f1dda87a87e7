"""End to end, with the real programs: photos in folders, a graph, a model, a daemon, a result."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import MakeDaemon
from tests.support.daemon import dogid, environment

LABELS = ("circles", "checks", "stripes")
_PER_LABEL = 16


def draw(label: str, seed: int) -> Image.Image:
    """A pattern in random colours, position and scale."""
    random = np.random.default_rng(seed)
    step, shift = random.integers(24, 60), random.integers(0, 60)
    down, across = np.mgrid[0:300, 0:400] + shift
    if label == "stripes":
        inside = across // step % 2 == 0
    elif label == "checks":
        inside = (across // step + down // step) % 2 == 0
    else:
        inside = (across % (2 * step) - step) ** 2 + (down % (2 * step) - step) ** 2 < (0.7 * step) ** 2
    front, back = random.uniform(0, 110, 3), random.uniform(140, 255, 3)
    pixels = np.where(inside[..., np.newaxis], front, back) + random.normal(0, 8, (300, 400, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled folders of drawn photos."""
    root = tmp_path_factory.mktemp("photos")
    for number, label in enumerate(LABELS):
        (root / label).mkdir()
        for photo in range(_PER_LABEL):
            draw(label, 1000 * number + photo).save(root / label / f"{photo}.jpg", quality=90)
    return root


@pytest.fixture(scope="module")
def model(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model made from those photos by `dogid train`, on the better one of dogid's own bases."""
    folder = tmp_path_factory.mktemp("model")
    words = ("train", str(photos), "-o", str(folder / "mine.tflite"), "--cache", str(folder / "cache"))
    trained = dogid(*words, timeout=800)
    assert trained.returncode == 0, trained.stderr
    return folder / "mine.tflite"


@pytest.mark.timeout(900)  # a busy machine takes minutes to train
def test_own_model_classifies_in_the_daemon(model: Path, make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = make_daemon("--model", str(model)).start()
    expected = {}
    for number, label in enumerate(LABELS):
        for fresh in range(3):  # pictures that it has not been trained on
            name = f"{label}-{fresh}.jpg"
            draw(label, 500_000 + 1000 * number + fresh).save(inbox / name)
            expected[name] = label
    daemon.wait_for_all_answers(len(expected))

    found = {name: result["label"] for name, result in daemon.results_by_name().items()}

    assert daemon.status()["model"]["labels"] == sorted(LABELS)
    assert sum(found[name] == label for name, label in expected.items()) >= len(expected) - 1


def test_photos_without_dogs_are_other(make_daemon: MakeDaemon, inbox: Path) -> None:
    package = importlib.util.find_spec("sklearn")  # importing it takes as long as all the rest
    assert package is not None
    assert package.origin is not None
    samples = Path(package.origin).parent / "datasets" / "images"
    for name in ("china.jpg", "flower.jpg"):
        shutil.copy(samples / name, inbox / name)
    daemon = make_daemon().start()

    assert {result["label"] for result in daemon.wait_for_all_answers(2)} == {"other"}


def test_daemon_never_imports_tensorflow() -> None:
    code = "import sys, dogid.daemon.daemon, dogid.web.app, dogid.commands.classify; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())

    assert not {"tensorflow", "keras", "dogid_convert"} & set(done.stdout.split())
