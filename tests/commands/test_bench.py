import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dogid.benchmark import measures, photos
from dogid.cli import main
from tests.support.daemon import environment
from tests.support.photos import photo, put


@contextlib.contextmanager
def short_run() -> Iterator[None]:
    """Measure as the command does, but for less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "_MIN_SECONDS", 0.0)
        patch.setattr(measures, "_SINGLES", 2)
        patch.setattr(measures, "_BACKLOG", 6)
        patch.setattr(photos, "SIZES", (("0.3 MP", 640, 480, 2), ("2 MP", 1632, 1224, 1)))
        yield


def bench(*arguments: str) -> str:
    with short_run(), contextlib.redirect_stdout(io.StringIO()) as stdout:
        assert main(["bench", *arguments]) == 0
    return stdout.getvalue()


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """The document of a run on photos that the command draws."""
    document: dict[str, Any] = json.loads(bench("--json"))
    return document


def test_bench_measures_synthetic_photos_by_default(found: dict[str, Any]) -> None:
    assert [sample["name"] for sample in found["samples"]] == ["0.3 MP", "2 MP"]
    assert all(sample["decode_ms"] > 0 and sample["invoke_ms"] > 0 for sample in found["samples"])
    assert found["samples"][0]["mean_bytes"] < found["samples"][1]["mean_bytes"]
    assert found["folder"]["photos"] == 8
    assert found["folder"]["per_second"] > 0
    assert 0 < found["folder"]["latency_ms"]["p50"] <= found["folder"]["latency_ms"]["p99"]


def test_bench_json_keys_are_stable(found: dict[str, Any]) -> None:
    assert set(found) == {"model", "cores", "samples", "folder"}
    assert set(found["model"]) == {"name", "sha256", "backend"}
    assert set(found["samples"][0]) == {"name", "photos", "mean_bytes", "decode_ms", "invoke_ms"}
    assert set(found["folder"]) == {"sample", "photos", "per_second", "latency_ms"}
    assert set(found["folder"]["latency_ms"]) == {"p50", "p99"}


def test_bench_measures_photos_of_a_folder_unchanged(tmp_path: Path) -> None:
    data = [photo(seed) for seed in range(3)]
    for seed, content in enumerate(data):
        put(tmp_path / "deep" / f"{seed}.jpg", content)
    put(tmp_path / "broken.jpg", data[0][:200])
    put(tmp_path / "notes.txt", b"no photo")

    (sample,) = json.loads(bench("--json", "--photos", str(tmp_path)))["samples"]
    assert sample["photos"] == 3
    assert sample["mean_bytes"] == sum(map(len, data)) // 3
    assert [(tmp_path / "deep" / f"{seed}.jpg").read_bytes() for seed in range(3)] == data


def test_bench_prints_a_table(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg", photo(1))

    output = bench("--photos", str(tmp_path))

    assert "dogid.tflite" in output
    assert tmp_path.name in output
    assert "photos/s from a backlog" in output


def test_bench_rejects_a_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--photos", str(tmp_path / "missing")]) == 2

    error = capsys.readouterr().err
    assert f"{tmp_path / 'missing'}: not a folder" in error


def test_bench_rejects_a_folder_without_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "notes.txt", b"no photo")

    assert main(["bench", "--photos", str(tmp_path)]) == 2

    assert "contains no photo" in capsys.readouterr().err


def test_bench_needs_no_network_and_leaves_no_files(tmp_path: Path) -> None:
    pictures, temporary = tmp_path / "pictures", tmp_path / "temporary"
    put(pictures / "a.jpg", photo(1))
    temporary.mkdir()
    command = [sys.executable, "-m", "dogid", "bench", "--json", "--photos", str(pictures)]
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets us make no network namespace")

    done = subprocess.run(
        [*alone, *command], env={**environment(), "TMPDIR": str(temporary)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"]["photos"] == 116
    assert list(temporary.iterdir()) == []
