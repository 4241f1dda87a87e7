"""The OpenAPI document describes what the daemon really answers."""

from typing import Any

import jsonschema
import pytest

from tests.support.asking import ask, form
from tests.support.daemon import DaemonProcess
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
    shared_daemon.settled(3)
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
def test_answers_have_the_form_that_is_documented(seen: DaemonProcess, template: str, path: str, status: int) -> None:
    document = ask(seen.url, "/openapi.json").document
    reply = ask(seen.url, path)
    assert reply.status == status
    jsonschema.Draft202012Validator(schema_of(document, "GET", template, status)).validate(reply.document)


def test_the_answer_to_a_photo_that_is_sent_has_its_form_too(seen: DaemonProcess) -> None:
    document = ask(seen.url, "/openapi.json").document
    body, headers = form("a.jpg", photo(1))
    reply = ask(seen.url, "/classify", method="POST", body=body, headers=headers)
    jsonschema.Draft202012Validator(schema_of(document, "POST", "/classify", 200)).validate(reply.document)


def test_a_document_that_is_wrong_would_be_noticed(seen: DaemonProcess) -> None:
    document = ask(seen.url, "/openapi.json").document
    wrong = ask(seen.url, "/results").document
    wrong["results"][0]["score"] = 2
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema_of(document, "GET", "/results", 200)).validate(wrong)
