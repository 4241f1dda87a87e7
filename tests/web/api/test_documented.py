"""The written interface and the real one are the same."""

import json
import re
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.shelf.models import make_model
from tests.support.daemon import ROOT, DaemonProcess
from tests.support.http_client import fetch, multipart_form
from tests.support.photos import photo, put
from tests.web.api.event_listener import Listener

ROWS = re.findall(r"^\| `(GET|POST|DELETE) (/\S*)` \|", (ROOT / "daemon" / "API.md").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with all that can be switched on."""
    folder = tmp_path_factory.mktemp("shared")
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "1", "--allow-upload")
    try:
        yield daemon.start()
    finally:
        daemon.close()


def template(path: str) -> str:
    """A path of the table as OpenAPI writes it."""
    return path.partition("?")[0].replace("ID", "{id}").replace("NAME", "{name}").replace("SHA256", "{sha256}")


def test_api_table_and_openapi_list_same_routes(shared_daemon: DaemonProcess) -> None:
    paths = fetch(shared_daemon.url, "/openapi.json").document["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert {(method, template(path)) for method, path in ROWS} == documented


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_each_documented_route_responds(shared_daemon: DaemonProcess, method: str, path: str) -> None:
    put(shared_daemon.inbox / "a.jpg", photo(1))
    result = shared_daemon.wait_for_answer("a.jpg")
    paths = fetch(shared_daemon.url, "/openapi.json").document["paths"]
    responses = paths[template(path)][method.lower()]["responses"]
    expected = min(responses, key=int)  # 200, or 202 of what goes on
    documented = responses[expected]["content"]
    sent = paths[template(path)][method.lower()].get("requestBody", {}).get("content", {})

    body, headers = multipart_form("a.jpg", photo(1)) if "multipart/form-data" in sent else (None, {})
    if method == "POST" and not body:
        word = {"label": "pug"} | ({"ids": [result["id"]]} if path == "/labels" else {})
        word = {} if path == "/learn" else {"answer": "drop"} if "SHA256" in path else word
        body, headers = json.dumps(word).encode(), {"Content-Type": "application/json"}
    if path == "/events":  # an answer without an end
        with closing(Listener(shared_daemon)) as listener:
            assert listener.response.headers.get_content_type() in documented
        return
    if path in ("/models/NAME/activate", "/rollback"):
        make_model(shared_daemon.state / "models" / "mine.tflite")
        path = path.replace("NAME", "mine")
        fetch(shared_daemon.url, "/models/mine/activate", method="POST")
    contradiction = {"sha256": "ab" * 32, "name": None, "label": "pug", "other": "wolf", "reason": "looks like wolf"}
    if "SHA256" in path:
        (shared_daemon.state / "models").mkdir(exist_ok=True)
        (shared_daemon.state / "models" / ".contradictions.json").write_text(json.dumps([contradiction]))
        path = path.replace("SHA256", contradiction["sha256"] or "")
    asked = path.replace("NAME", "a.jpg").replace("ID", str(result["id"]))
    reply = fetch(shared_daemon.url, asked, method=method, body=body, headers=headers)

    assert reply.status == int(expected)
    assert reply.headers.get_content_type() in documented
