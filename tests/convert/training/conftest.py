"""Photos to train on, and trainings that tests share."""

import contextlib
import io
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from dogid_convert.training.splits import is_held_out
from tests.convert.training_material import make_folder, pattern_photo
from tests.convert.training_runs import Run, retrain


@pytest.fixture(scope="session")
def drawn_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty photos of each of two labels, not to be changed."""
    return make_folder(tmp_path_factory.mktemp("drawn") / "photos")


@pytest.fixture
def photos(tmp_path: Path, drawn_photos: Path) -> Path:
    """A copy of them, for a test to change."""
    return shutil.copytree(drawn_photos, tmp_path / "photos")


@pytest.fixture(scope="session")
def noisy_photos(tmp_path_factory: pytest.TempPathFactory, drawn_photos: Path) -> Path:
    """Photos of which a few are under the wrong label: no training ever gets them all right. Not to be changed."""
    photos = shutil.copytree(drawn_photos, tmp_path_factory.mktemp("noisy") / "photos")
    for number in range(60, 72):
        (photos / "red" / f"wrong{number}.jpg").write_bytes(pattern_photo("blue", number))
    return photos


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory, drawn_photos: Path) -> Run:
    """A training without further flags."""
    return _run(tmp_path_factory.mktemp("plain"), drawn_photos)


@pytest.fixture(scope="session")
def stopped_run(tmp_path_factory: pytest.TempPathFactory, noisy_photos: Path) -> Run:
    """A fine-tuning that stops early."""
    return _run(
        tmp_path_factory.mktemp("stopped"), noisy_photos, "--fine-tune", "2", "--epochs", "60", "--patience", "1"
    )


@pytest.fixture(scope="session")
def untidy_run(tmp_path_factory: pytest.TempPathFactory, drawn_photos: Path) -> Run:
    """A training with `--json` on a folder in which files are broken, doubtful, alone or without a label."""
    folder = tmp_path_factory.mktemp("untidy")
    photos = shutil.copytree(drawn_photos, folder / "photos")
    (photos / "red" / "broken.jpg").write_bytes(pattern_photo("red", 5)[:300])
    (photos / "blue" / "notes.txt").write_text("no photo")
    (photos / "red" / "closed.jpg").write_bytes(pattern_photo("red", 6)[:-300] + b"\xff\xd9")
    (photos / "red" / "doubtful.jpg").write_bytes(pattern_photo("red", 7)[:-2])
    (photos / "lost.jpg").write_bytes(pattern_photo("red", 1))
    (photos / "single").mkdir()
    number = next(n for n in range(1000) if is_held_out(sha256(pattern_photo("single", n)).hexdigest()))
    (photos / "single" / "1.jpg").write_bytes(pattern_photo("single", number))
    return _run(folder, photos, "--json")


def _run(folder: Path, photos: Path, *flags: str) -> Run:
    with contextlib.redirect_stdout(io.StringIO()) as stdout, contextlib.redirect_stderr(io.StringIO()) as stderr:
        assert retrain(photos, folder / "out", *flags) == 0
    return Run(photos, folder / "out", folder / "cache", stdout.getvalue(), stderr.getvalue())
