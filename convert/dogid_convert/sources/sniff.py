"""Recognising the form of a classifier's file by its content."""

from pathlib import Path

from dogid.model.containers import read_zipped_model

_TFLITE = b"TFL3"
_ZIP = b"PK\x03\x04"


def is_tflite(path: Path) -> bool:
    """Whether a file is a TensorFlow Lite model already, or a zip with one."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
        if head.startswith(_ZIP):
            return read_zipped_model(path.read_bytes()) is not None
    except (OSError, ValueError):
        return False
    return head[4:] == _TFLITE
