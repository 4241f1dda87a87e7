"""The OpenAPI document describes what the daemon really answers."""

from typing import Any

import jsonschema
import pytest

from tests.support.daemon import DaemonProcess
from tests.support.http_client import fetch, multipart_form
from tests.support.photos import photo


def schema_of(document: dict[str, Any], method: str, path: str, status: int) -> dict[str, Any]:
    answer = document["paths"][path][method.lower()]["responses"][str(status)]
    schema = answer["content"]["application/json"]["schema"]
    return {**schema, "components": document["components"]}


@pytest.fixture(scope="module")
def seen(shared_daemon: DaemonProcess) -> DaemonProcess:
    """A daemon with photos of each fate."""
    (shared_daemon.inbox / "a.jpg").write_bytes(photo(1))
    (shared_daemon.inbox / "text.jpg").write_text("no photo")
    (shared_daemon.inbox / "caf\udce9.jpg").write_bytes(photo(2))
    shared_daemon.wait_for_all_answers(3)
    return shared_daemon


@pytest.mark.parametrize(
    ("template", "path", "status"),
    [
        ("/results", "/results", 200),
        ("/results", "/results?limit=0", 400),
        ("/results/{id}", "/results/1", 200),
        ("/results/{id}", "/results/2", 200),
        ("/results/{id}", "/results/99", 404),
        ("/status", "/status", 200),
        ("/", "/?file=a.jpg", 200),
        ("/", "/?file=../a.jpg", 403),
        ("/", "/?file=b.jpg", 404),
        ("/", "/?file=text.jpg", 422),
    ],
)
def test_responses_match_openapi_schema(seen: DaemonProcess, template: str, path: str, status: int) -> None:
    document = fetch(seen.url, "/openapi.json").document
    reply = fetch(seen.url, path)
    assert reply.status == status
    jsonschema.Draft202012Validator(schema_of(document, "GET", template, status)).validate(reply.document)


def test_upload_response_matches_openapi_schema(seen: DaemonProcess) -> None:
    document = fetch(seen.url, "/openapi.json").document
    body, headers = multipart_form("a.jpg", photo(1))
    reply = fetch(seen.url, "/classify", method="POST", body=body, headers=headers)
    jsonschema.Draft202012Validator(schema_of(document, "POST", "/classify", 200)).validate(reply.document)


def test_schema_rejects_wrong_document(seen: DaemonProcess) -> None:
    document = fetch(seen.url, "/openapi.json").document
    wrong = fetch(seen.url, "/results").document
    wrong["results"][0]["score"] = 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema_of(document, "GET", "/results", 200)).validate(wrong)
