"""Archives in buckets, against moto's server of S3; and servers that refuse."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from dogid.archive.open_source import open_source
from tests.archive.archives import Batch, results_of
from tests.support.photos import photo, put_all

_REGION = "us-east-1"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of buckets; its URL."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(autouse=True)
def no_connections_left() -> Iterator[None]:
    """Leave no file system of these servers to other tests of this process: fsspec keeps them."""
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket named photos; the client that fills it."""
    set_credentials(monkeypatch, server)
    client = boto3.client("s3", endpoint_url=server, region_name=_REGION)
    client.create_bucket(Bucket="photos")
    return client


def set_credentials(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have dogid use a server of buckets."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")
    for name, value in zip(names, ("key", "secret", _REGION, _REGION, url), strict=True):
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()


def test_bucket_gives_the_same_rows_as_a_folder(batch: Batch, bucket: Any, tmp_path: Path) -> None:
    files = {f"camera {number}/{number}.jpg": photo(number) for number in range(4)}
    files |= {"cut.jpg": photo(5)[:3000], ".hidden.jpg": photo(6), "ä%FF.jpg": photo(7), "empty.jpg": b""}
    for name, data in files.items():
        bucket.put_object(Bucket="photos", Key=f"2024/{name}", Body=data)
    bucket.put_object(Bucket="photos", Key="2024/folder/", Body=b"")
    bucket.put_object(Bucket="photos", Key="2025/other.jpg", Body=photo(8))
    batch(put_all(tmp_path / "folder", files), tmp_path / "from-folder")

    run = batch("s3://photos/2024", "s3://photos/answers")

    expected, found = results_of(tmp_path / "from-folder"), results_of("s3://photos/answers")
    expected["ä%FF.jpg"] = expected.pop("ä%25FF.jpg")  # object stores have texts for names, and show them as they are
    assert {name: (found[name]["scores"], found[name]["error"], found[name]["sha256"]) for name in found} == {
        name: (result["scores"], result["error"], result["sha256"]) for name, result in expected.items()
    }
    assert (run.status, run.summary["counts"]) == (1, {"classified": 5, "failed": 2})
    bucket.put_object(Bucket="photos", Key="2024/camera 0/0.jpg", Body=photo(9))
    bucket.delete_object(Bucket="photos", Key="2024/cut.jpg")
    again = batch("s3://photos/2024/", "s3://photos/answers")
    assert (again.summary["new"], again.summary["photos"]) == (1, 6)
    changed = results_of("s3://photos/answers")
    assert changed["camera 0/0.jpg"]["sha256"] == hashlib.sha256(photo(9)).hexdigest()
    assert changed["cut.jpg"] == found["cut.jpg"]  # what has left keeps its row


def test_list_of_urls_is_read(batch: Batch, bucket: Any, tmp_path: Path) -> None:
    bucket.put_object(Bucket="photos", Key="listed/a.jpg", Body=photo(1))
    (tmp_path / "list.txt").write_text("s3://photos/listed/a.jpg\ns3://photos/listed/gone.jpg\n")
    batch(tmp_path / "list.txt", tmp_path / "out")

    codes = {file: result["error"] and result["error"]["code"] for file, result in results_of(tmp_path / "out").items()}
    assert codes == {"s3://photos/listed/a.jpg": None, "s3://photos/listed/gone.jpg": "vanished"}


def test_all_pages_of_a_large_bucket_are_listed(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dogid.archive.remote_folder.PAGE", 3)
    for number in range(8):
        bucket.put_object(Bucket="photos", Key=f"many/{number:05}.jpg", Body=b"x")

    found = list(open_source("s3://photos/many").iterate_entries())
    assert [entry.file for entry in found] == [f"{number:05}.jpg" for number in range(8)]
    assert {(entry.size, entry.etag is None) for entry in found} == {(1, False)}


@pytest.mark.usefixtures("bucket")
def test_missing_bucket_is_named(batch: Batch, tmp_path: Path) -> None:
    run = batch("s3://no-such-bucket/x", tmp_path / "out")

    assert (run.status, run.stdout) == (2, "")
    assert "s3://no-such-bucket/x: cannot be listed: there is no such bucket or folder" in run.stderr


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", "no rights (AccessDenied: "),
        (301, "PermanentRedirect", "the bucket is in another region: give that one by AWS_REGION"),
        (400, "AuthorizationHeaderMalformed", "the bucket is in another region: give that one by AWS_REGION"),
    ],
)
def test_refusing_server_is_explained(
    status: int, code: str, message: str, batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{code}</Code><Message>it is refused</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-amz-bucket-region", "eu-north-1")
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("x-amz-bucket-region", "eu-north-1")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        set_credentials(monkeypatch, f"http://127.0.0.1:{refusing.server_port}")
        run = batch("s3://photos", tmp_path / "out")
        refusing.shutdown()

    assert (run.status, run.stdout) == (2, "")
    assert message in run.stderr


def test_output_that_cannot_be_reached_is_named(batch: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_all(tmp_path / "in", {"a.jpg": photo(1)})
    set_credentials(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    run = batch(tmp_path / "in", "s3://photos/out")

    assert (run.status, run.stdout) == (2, "")
    assert "s3://photos/out: cannot be" in run.stderr
