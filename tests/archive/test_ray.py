"""An archive on a real Ray cluster of two nodes, each with an object store of its own; everything is killed once."""

import functools
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dogid import __version__
from dogid.archive.entries import make_entry
from dogid.archive.manifest import MANIFEST_SCHEMA
from dogid.archive.output_folder import read_token
from dogid.archive.storage import open_storage
from dogid.errors import DogidError
from dogid.model.classifier import load_model
from dogid.model.shipped import shipped_model
from dogid.settings import Settings
from tests.archive.archives import Batch, Run, count_rows, results_of
from tests.archive.gated_bucket import GatedBucket, serving_bucket
from tests.support.photos import photo, put
from tests.support.privileges import run_without_override
from tests.support.waiting import eventually

cluster_utils = pytest.importorskip("ray.cluster_utils", reason="ray is not installed")
internal_api = pytest.importorskip("ray._private.internal_api")

_PADDING = b"\xff\xfe\xff\xff" + bytes(0xFFFD)  # a comment in a JPEG
_OF_THE_RUN = ("classified_at", "timings_ms")


class Cluster:
    """Two nodes on this machine; the first one also has the cluster's own services."""

    def __init__(self) -> None:
        store = {"object_store_memory": 80_000_000}
        quickly = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
        self._cluster = cluster_utils.Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": quickly} | store,
        )
        self._second = self._cluster.add_node(num_cpus=2, **store)
        self.address: str = self._cluster.address

    def kill_second_node(self) -> None:
        """Kill it as a power cut does."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def stop(self) -> None:
        """End it all."""
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def bucket() -> Iterator[GatedBucket]:
    with serving_bucket() as bucket:
        yield bucket


@pytest.fixture(scope="module")
def cluster(bucket: GatedBucket) -> Iterator[Cluster]:
    del bucket  # its nodes find it by the environment
    cluster = Cluster()
    yield cluster
    cluster.stop()


def start(cluster: Cluster, source: str, out: Path | str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dogid", "batch", source, "-o", str(out), "--json", "--address", cluster.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def finish(process: "subprocess.Popen[str]") -> Run:
    stdout, stderr = process.communicate(timeout=400)
    return Run(process.returncode, stdout, stderr)


def fill(bucket: GatedBucket, numbers: range) -> None:
    for number in numbers:
        bucket.put(f"photos/camera {number % 2}/{number:03}.jpg", pad(photo(number)))


def pad(jpeg: bytes) -> bytes:
    """Make a JPEG of a megabyte."""
    return jpeg[:2] + 16 * _PADDING + jpeg[2:]


def greet_as_mail_server(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        connection.sendall(b"220 mail.example ESMTP\r\n")
        connection.recv(100)


def megabytes_in_object_stores(cluster: Cluster) -> int:
    summary = internal_api.memory_summary(cluster.address, stats_only=True)
    return sum(int(found) for found in re.findall(r"Plasma memory usage (\d+) MiB", summary))


def kill_an_actor() -> None:
    found = subprocess.run(["pgrep", "-f", "ray::MapWorker.MapBatches"], capture_output=True, text=True, check=True)
    os.kill(int(found.stdout.split()[0]), signal.SIGKILL)


def parts_of(out: Path) -> set[str]:
    return {path.name for path in (out / "results").glob("*.parquet")}


def of_photos(out: Path | str) -> dict[str, dict[str, Any]]:
    found = results_of(out)
    return {name: {k: v for k, v in result.items() if k not in _OF_THE_RUN} for name, result in found.items()}


@pytest.mark.long
@pytest.mark.timeout(1000)
def test_kills_lose_no_row_and_double_none(cluster: Cluster, bucket: GatedBucket, batch: Batch, tmp_path: Path) -> None:
    source, out = f"{bucket.url}/photos", tmp_path / "out"
    fill(bucket, range(6))
    bucket.put("photos/text.jpg", b"this is no photo")
    assert batch(source, out).summary["new"] == 7  # by threads, before there is a cluster
    fill(bucket, range(6, 60))

    before = parts_of(out)
    bucket.close_after(20)
    driver = start(cluster, source, out)
    eventually(lambda: bucket.waiting and parts_of(out) - before, "a part file, and photos that wait", 400)
    stored = megabytes_in_object_stores(cluster)
    driver.kill()
    finish(driver)
    done = results_of(out)
    bucket.open()
    bucket.asked.clear()
    assert stored < 10, "the model is there, and 20 MB of photos are not"

    before = parts_of(out)
    bucket.close_after(15)
    driver = start(cluster, source, out)
    eventually(lambda: bucket.waiting and parts_of(out) - before, "a part file, and photos that wait", 400)
    kill_an_actor()
    cluster.kill_second_node()
    bucket.open()
    run = finish(driver)

    assert run.status == 1, run.stderr
    assert run.summary["counts"] == {"classified": 60, "failed": 1}
    assert (run.summary["done_before"], run.summary["new"]) == (len(done), 61 - len(done))
    assert not bucket.asked & set(done), "no photo is read again that had its row"
    assert count_rows(out) == 61
    others = [line for line in run.stderr.splitlines() if not line.startswith(("dogid: ", "INFO: Created TensorFlow"))]
    assert others == [], "Ray says nothing itself"
    batch(source, tmp_path / "threads")
    assert of_photos(out) == of_photos(tmp_path / "threads")

    fill(bucket, range(60, 62))
    assert batch(source, out).summary["new"] == 2  # and by threads again


@pytest.mark.long
@pytest.mark.timeout(300)
def test_bucket_takes_the_results(bucket: GatedBucket, batch: Batch, tmp_path: Path) -> None:
    for number in range(4):
        bucket.put(f"few/{number}.jpg", photo(number))

    source, out = f"{bucket.url}/few", f"{bucket.url}/out"
    run = batch.run("batch", source, "-o", out, "--json", "--engine", "ray", "--workers", "1")

    batch(source, tmp_path / "threads")
    assert (run.status, run.summary["new"]) == (0, 4), run.stderr
    assert of_photos(out) == of_photos(tmp_path / "threads")
    token = read_token(open_storage(out))
    assert token
    assert not Path(tempfile.gettempdir(), f"dogid-batch-{token}").exists(), "its notes are gone"


def test_address_without_a_cluster_is_refused(batch: Batch, tmp_path: Path) -> None:
    put(tmp_path / "photos" / "1.jpg", photo(1))
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        threading.Thread(target=greet_as_mail_server, args=(other,), daemon=True).start()
        strange = batch.run("batch", f"{tmp_path}/photos", "-o", f"{tmp_path}/out", "--address", address)
    nothing = batch.run("batch", f"{tmp_path}/photos", "-o", f"{tmp_path}/out", "--address", address)

    assert (strange.status, nothing.status) == (2, 2)
    assert f"--address {address}: no Ray cluster answers there" in strange.stderr
    assert f"--address {address}: no Ray cluster answers there" in nothing.stderr


@pytest.mark.long
@pytest.mark.timeout(300)
def test_node_that_would_spoil_the_results_is_named(cluster: Cluster, tmp_path: Path) -> None:
    import ray

    from dogid.archive.ray_cluster import connected
    from dogid.archive.ray_nodes import EntryActor, Job

    put(tmp_path / "photos" / "1.jpg", photo(1))
    put(tmp_path / "out" / ".run", b"token")
    file = load_model(shipped_model()).file
    with connected(cluster.address, 1):
        job = Job(
            source=f"{tmp_path}/photos",
            output=f"{tmp_path}/out",
            token="token",
            schema=MANIFEST_SCHEMA,
            chosen=Settings(),
            embeddings=False,
            model=ray.put(file),
            model_sha256=hashlib.sha256(file.data).hexdigest(),
        )
        others: list[tuple[dict[str, Any], str]] = [
            ({"model_sha256": "00"}, "the model that arrived is not dogid.tflite"),
            ({"version": "0.0.1"}, f"has dogid {__version__}, and the run was started by dogid 0.0.1"),
            ({"output": f"{tmp_path}/nowhere"}, "does not see the output"),
            ({"source": f"{tmp_path}/nowhere"}, f"{tmp_path}/nowhere: there is no such folder"),
        ]
        entries = pa.Table.from_pylist([make_entry("1.jpg")._asdict()], schema=MANIFEST_SCHEMA)
        classify: Any = ray.remote(num_cpus=0)(lambda job: EntryActor(job)(entries))
        for change, reason in others:
            with pytest.raises(DogidError, match=re.escape(f"node {socket.gethostname()}: {reason}")):
                ray.get(classify.remote(replace(job, **change)))


def test_node_without_the_photos_is_named(tmp_path: Path) -> None:
    from dogid.archive.ray_nodes import open_photos

    with pytest.raises(DogidError, match=rf"^node {socket.gethostname()}: {tmp_path}/photos: .*: mount it there"):
        open_photos(f"{tmp_path}/photos")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DogidError, match=rf"^node {socket.gethostname()}: {tmp_path}/photos: is empty there"):
        open_photos(f"{tmp_path}/photos")
    (tmp_path / "photos").chmod(0)
    for place in ("photos", "photos/2024"):
        with pytest.raises(DogidError, match=rf"^node .*{place}: cannot be read there: Permission denied"):
            run_without_override(functools.partial(open_photos, f"{tmp_path}/{place}"))
