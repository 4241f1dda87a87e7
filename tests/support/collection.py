"""Real photos and other people's graphs: too large for the repository, so in a folder `shared` beside the clone."""

import os
from pathlib import Path

import pytest

_FOLDER = Path(os.environ.get("DOGID_SHARED") or Path(__file__).resolve().parents[3] / "shared")

PHOTOS = _FOLDER / "photos" / "train"
"""Those that the shipped model was trained on, a sub-folder for each label."""

MODELS = _FOLDER / "tflite"
"""Other people's models."""

GRAPHS = _FOLDER / "graphs" / "tensorflow-for-poets-2"
"""The graphs of TensorFlow's codelab, with their labels."""

SMALL_MODELS = _FOLDER / "models"
"""Small models of kinds that failed, each with its labels; all answer `bright.png` and `dark.png`."""

FIELD = _FOLDER / "field"
"""Photos of kinds that failed, with the right answers in its README.md."""


def needs(*folders: Path) -> pytest.MarkDecorator:
    """Skip a test where one of these folders is missing."""
    missing = not all(folder.is_dir() for folder in folders)
    return pytest.mark.skipif(missing, reason="the photo/graph collection is not beside the clone (DOGID_SHARED)")
