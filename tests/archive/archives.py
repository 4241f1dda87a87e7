"""Archives made for a test, `dogid batch` run on them, and what is in its output folder."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest

from dogid.archive.output_folder import read_output
from dogid.archive.reading import iterate_results
from dogid.cli import main
from tests.support.photos import photo, put

Result = dict[str, Any]


class Run(NamedTuple):
    """What a command returned and printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON document that it printed."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


class Batch:
    """`dogid batch` in this process, by the engine of one machine."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, source: Path | str, out: Path | str, *flags: str) -> Run:
        """Run it with --json."""
        return self.run("batch", str(source), "-o", str(out), "--engine", "local", "--json", *flags)

    def run(self, *args: str) -> Run:
        """Run any command of dogid."""
        self._capsys.readouterr()
        status = main(args)
        printed = self._capsys.readouterr()
        return Run(status, printed.out, printed.err)


def results_of(out: Path | str) -> dict[str, Result]:
    """All results of an output folder by file; fails where a file has two."""
    found = [result for results in iterate_results(read_output(str(out))) for result in results]
    named = {result["file"]: result for result in found}
    assert len(named) == len(found), "a file has two rows"
    return named


def count_rows(out: Path) -> int:
    """How many rows all part files have together, as another program counts them."""
    return sum(pq.read_metadata(path).num_rows for path in (out / "results").glob("*.parquet"))


def make_archive(root: Path, photos: int = 12) -> Path:
    """Write photos of many kinds, damaged ones, and names that are not UTF-8; return the folder."""
    for number in range(photos):
        kind = ("JPEG", "JPEG", "PNG", "WEBP", "GIF", "HEIC")[number % 6]
        size = (320 + 13 * (number % 5), 240 + 7 * (number % 3))
        put(root / f"camera {number % 3}" / f"photo-{number:03}.{kind.lower()}", photo(number, kind, size))
    put(root / "empty.jpg", b"")
    put(root / "cut.jpg", photo(3)[:3000])
    put(root / "text.jpg", b"this is no photo")
    put(root / "zeros.jpg", photo(4)[:2000] + bytes(4000))
    put(root / ".hidden.jpg", photo(5))
    put(root / "half.jpg.part", photo(6))
    put(Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe.jpg")), photo(7))
    put(root / "50%FF.jpg", photo(8))
    return root
