"""A server of buckets that holds back photos: what happens in the middle of a run does not depend on timing."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3
import pytest
import s3fs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

_BUCKET = "archive"


class GatedBucket:
    """A bucket whose photos are given out until so many were asked for; then requests wait."""

    def __init__(self, address: str) -> None:
        self.url = f"s3://{_BUCKET}"
        self._client: Any = boto3.client("s3", endpoint_url=address)
        self._condition = threading.Condition()
        self._allowed: float = float("inf")
        self.waiting = 0
        self.asked: set[str] = set()
        """Photos that somebody has asked for, by their paths below `photos/`."""

    def put(self, key: str, data: bytes) -> None:
        """Upload an object."""
        self._client.put_object(Bucket=_BUCKET, Key=key, Body=data)

    def create(self) -> None:
        """Make the bucket."""
        self._client.create_bucket(Bucket=_BUCKET)

    def close_after(self, photos: int) -> None:
        """Give out so many photos more, and no others until `open`."""
        with self._condition:
            self._allowed = photos

    def open(self) -> None:
        """Give out all photos."""
        with self._condition:
            self._allowed = float("inf")
            self._condition.notify_all()

    def pass_gate(self, file: str) -> None:
        """Wait until a photo may be given out."""
        with self._condition:
            self.asked.add(file)
            self.waiting += 1
            self._condition.wait_for(lambda: self._allowed > 0)
            self._allowed -= 1
            self.waiting -= 1


@contextlib.contextmanager
def serving_bucket() -> Iterator[GatedBucket]:
    """Serve a bucket while the context lasts, to this process and to all that it starts."""
    moto = DomainDispatcherApplication(create_backend_app)
    gate: list[GatedBucket] = []

    photos = f"/{_BUCKET}/photos/"

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].startswith(photos):
            gate[0].pass_gate(environ["PATH_INFO"].removeprefix(photos))
        answered: Iterable[bytes] = moto(environ, start_response)
        return answered

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.port}"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setitem(os.environ, name, value)
        forget_connections()
        gate.append(GatedBucket(address))
        gate[0].create()
        try:
            yield gate[0]
        finally:
            gate[0].open()
            server.shutdown()
            forget_connections()


def forget_connections() -> None:
    """Have fsspec connect by the environment as it is now: it keeps file systems, also of a server that has gone."""
    s3fs.S3FileSystem.clear_instance_cache()
