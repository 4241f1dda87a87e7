"""Which engine runs, what is said where a package is missing, and how failed photos are found."""

import csv
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dogid.archive import ray_cluster
from dogid.errors import UsageError
from tests.archive.archives import Batch
from tests.support.photos import photo, put
from tests.support.terminal import show_terminal


def test_cluster_is_named_once_on_a_terminal(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    put(tmp_path / "in" / "a.jpg", photo(1))
    flags = ("batch", str(tmp_path / "in"), "-o", str(tmp_path / "in" / ".." / "out"))
    said = []
    for terminal in (False, True, True):
        with monkeypatch.context() as context:
            stderr = show_terminal(context) if terminal else None
            run = batch.run(*flags)
        assert run.status == 0
        said.append("on a Ray cluster with --address" in (run.stderr if stderr is None else stderr.getvalue()))
        last = run.stdout
        if not terminal:
            shutil.rmtree(tmp_path / "out")

    assert said == [False, True, False]
    assert last == f"{tmp_path}/out: 1 classified, 0 failed; 0 new\n"


def test_failed_photos_are_listed_as_the_summary_says(batch: Batch, tmp_path: Path) -> None:
    put(tmp_path / "in" / "whole.jpg", photo(1))
    put(tmp_path / "in" / "text.jpg", b"no photo")
    run = batch.run("batch", str(tmp_path / "in"), "-o", str(tmp_path / "its answers"))
    command = re.search(r"^to see which: dogid (export .* -o )all\.csv \(", run.stdout, re.MULTILINE)
    assert command is not None

    assert batch.run(*shlex.split(command[1]), str(tmp_path / "all.csv")).status == 0
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        failed = [row for row in csv.DictReader(file) if row["status"] == "failed"]
    assert [(row["file"], row["error_code"]) for row in failed] == [("text.jpg", "unsupported")]
    assert failed[0]["error_message"].startswith("not a photo")


def test_cluster_of_the_environment_is_used(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    put(tmp_path / "in" / "a.jpg", photo(1))
    run = batch.run("batch", str(tmp_path / "in"), "-o", str(tmp_path / "out"))
    assert (run.status, "127.0.0.1:1: no Ray cluster answers there" in run.stderr) == (2, True)


@pytest.mark.parametrize(
    ("missing", "flags", "installed"),
    [
        ("pyarrow", ("in", "-o", "out"), "-e '.[parquet]'"),
        ("ray", ("in", "-o", "out", "--engine", "ray"), "-e '.[ray]'"),
        ("gcsfs", ("gs://a/b", "-o", "out"), "'gcsfs'"),
    ],
)
def test_missing_package_is_named(
    missing: str, flags: tuple[str, ...], installed: str, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # for Python, it is not installed
    run = batch.run("batch", *flags)

    assert (run.status, run.stdout) == (2, "")
    assert f"pip install {installed}" in run.stderr


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("in",), "name the folder for the results"),
        (("in", "other", "-o", "out"), "name one source"),
        (("import",), "name the folder with the results"),
        (("import", "out", "-o", "x"), "name the folder with the results"),
        (("in", "-o", "out", "--engine", "local", "--address", "x"), "leave out one of them"),
        (("in", "-o", "out", "--address", ""), "--address is empty"),
        (("import", "nothing"), "there are no results of `dogid batch` here"),
    ],
)
def test_wrong_usage_is_explained(flags: tuple[str, ...], reason: str, batch: Batch) -> None:
    run = batch.run("batch", *flags)

    assert (run.status, run.stdout) == (2, "")
    assert reason in run.stderr


@pytest.mark.parametrize("address", ["barn", "ray://barn:10001", "barn:", "http://barn:1"])
def test_address_that_is_none_is_refused_at_once(address: str) -> None:
    with pytest.raises(UsageError, match="give the address of the cluster's head node as HOST:PORT, or auto"):
        ray_cluster.connected(address, 1).__enter__()


@pytest.mark.parametrize(
    ("address", "reason", "shown"),
    [
        (None, "no\n  memory", r"^Ray cannot be started on this machine: no memory; --engine local works without it$"),
        (None, "", "on this machine: RuntimeError; --engine local"),
        ("barn:1", "Unauthenticated: Authentication failed", "give it by RAY_AUTH_TOKEN"),
        ("barn:1", "Version mismatch: 2.1", "Version mismatch: 2.1; this machine must be one of its nodes"),
    ],
)
def test_refusal_of_ray_names_the_way_out(address: str | None, reason: str, shown: str) -> None:
    error = ray_cluster._explain(RuntimeError(reason), address)

    assert isinstance(error, UsageError) == (address is not None)
    assert re.search(shown, str(error))


def test_cluster_without_cores_is_refused() -> None:
    empty, full = (SimpleNamespace(cluster_resources=lambda cores=cores: cores) for cores in ({}, {"CPU": 3.0}))

    assert ray_cluster._count_cores(full) == 3
    with pytest.raises(UsageError, match="has no cores: start its nodes with --num-cpus"):
        ray_cluster._count_cores(empty)
