"""Models that differ in their bytes alone: copies of the shipped one with another text packed into them."""

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

from dogid.model.shipped import shipped_model


def make_model(path: Path, text: str = "", labels: Sequence[str] = ()) -> Path:
    """Write a model of other content than the shipped one, perhaps with other labels; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(shipped_model().read_bytes())
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")  # it has labels already: the last ones count
        if labels:
            archive.writestr(zipfile.ZipInfo("labels.txt"), "".join(f"{label}\n" for label in labels))
        archive.writestr(zipfile.ZipInfo("note.txt"), text or path.name)  # of one date: the same bytes each time
    return path


def damage(path: Path) -> None:
    """Change bytes in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff" * 8
    path.write_bytes(data)
