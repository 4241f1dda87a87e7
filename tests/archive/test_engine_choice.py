"""Which engine runs, and what is said where a package is missing."""

import sys
from pathlib import Path

import pytest

from tests.archive.archives import Batch
from tests.support.photos import photo, put


def test_one_machine_needs_no_ray_and_it_is_said(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    put(tmp_path / "in" / "a.jpg", photo(1))
    run = batch.run("batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--json")

    assert (run.status, run.summary["engine"], run.summary["new"]) == (0, "local", 1)
    assert "for photos that keep coming there is `dogid run`, for a few `dogid classify`" in run.stderr


@pytest.mark.parametrize(
    ("missing", "flags", "package"),
    [
        ("pyarrow", ("in", "-o", "out"), "dogid[parquet]"),
        ("ray", ("in", "-o", "out", "--engine", "ray"), "dogid[ray]"),
        ("gcsfs", ("gs://a/b", "-o", "out"), "gcsfs"),
    ],
)
def test_missing_package_is_named(
    missing: str, flags: tuple[str, ...], package: str, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # for Python, it is not installed
    run = batch.run("batch", *flags)

    assert (run.status, run.stdout) == (2, "")
    assert f"pip install '{package}'" in run.stderr


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("in",), "name the folder for the results"),
        (("in", "other", "-o", "out"), "name one source"),
        (("import",), "name the folder with the results"),
        (("import", "out", "-o", "x"), "name the folder with the results"),
        (("in", "-o", "out", "--engine", "local", "--address", "x"), "leave out one of them"),
        (("import", "nothing"), "there are no results of `dogid batch` here"),
    ],
)
def test_wrong_usage_is_explained(flags: tuple[str, ...], reason: str, batch: Batch) -> None:
    run = batch.run("batch", *flags)

    assert (run.status, run.stdout) == (2, "")
    assert reason in run.stderr
