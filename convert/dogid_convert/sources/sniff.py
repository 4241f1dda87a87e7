"""Recognising the form of a classifier's file by its content."""

from pathlib import Path

_TFLITE = b"TFL3"


def is_tflite(path: Path) -> bool:
    """Whether a file is a TensorFlow Lite model already."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == _TFLITE
    except OSError:
        return False
