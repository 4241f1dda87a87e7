"""A client reads why its request is refused, also while it still sends."""

import http.client
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from dogid.web.server.limits import BODY_ALLOWANCE
from dogid.web.server.listener import WebServer
from tests.support.waiting import TIMEOUT

LIMIT = 1_000_000


@pytest.fixture
def server() -> Iterator[WebServer]:
    server = WebServer("127.0.0.1", 0)
    server.start(_answer_nothing, LIMIT + BODY_ALLOWANCE)
    yield server
    server.stop()


def _answer_nothing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ARG001
    start_response("200 OK", [("Content-Length", "0")])
    return []


def test_client_that_sends_too_much_reads_the_limit(server: WebServer) -> None:
    client = http.client.HTTPConnection(server.address, server.port, timeout=TIMEOUT)
    try:
        client.request("POST", "/", bytes(30_000_000))  # far more than the kernel keeps: sending takes a while
        response = client.getresponse()
        error = json.loads(response.read())["error"]
    finally:
        client.close()
    assert (response.status, error["code"]) == (413, "too_large")
    assert f"at most {LIMIT} bytes" in error["message"]
