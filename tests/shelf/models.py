"""Models that differ in their bytes alone: copies of the shipped one with another text packed into them."""

import zipfile
from pathlib import Path

from dogid.model.shipped import shipped_model


def make_model(path: Path, text: str = "") -> Path:
    """Write a model of other content than the shipped one; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shipped_model().read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("note.txt"), text or path.name)  # of one date: the same bytes each time
    return path


def damage(path: Path) -> None:
    """Change bytes in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff" * 8
    path.write_bytes(data)
