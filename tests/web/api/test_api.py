"""What the HTTP interface promises, asked of a real daemon over a real socket."""

import json
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo
from tests.web.api.result_fields import FIELDS


def ask(daemon: DaemonProcess, path: str) -> tuple[int, Any]:
    """GET a path; return the status and the JSON, whatever the status."""
    try:
        with urllib.request.urlopen(urllib.parse.urljoin(daemon.url, path)) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def refused(daemon: DaemonProcess, path: str) -> tuple[int, str]:
    """GET a path that is an error; return the status and the error's code, having checked the form."""
    status, document = ask(daemon, path)
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message"}
    assert document["error"]["message"]
    return status, document["error"]["code"]


def test_result_has_exactly_the_documented_fields(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "fields.jpg").write_bytes(photo(1, size=(300, 200)))
    result = shared_daemon.wait_for_answer("fields.jpg")

    assert set(result) == FIELDS
    assert set(result["timings_ms"]) == {"decode", "invoke", "total"}
    assert (result["width"], result["height"]) == (300, 200)
    assert result["error"] is None
    assert result["label"] == next(iter(result["scores"]))
    assert result["score"] == result["scores"][result["label"]]
    assert result["modified_at"].endswith("Z")
    assert result["classified_at"].endswith("Z")


def test_failed_result_has_code_message_and_no_label(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "failed.jpg").write_text("no photo")
    result = shared_daemon.wait_for_failed("failed.jpg", "unsupported")

    assert set(result) == FIELDS
    assert set(result["error"]) == {"code", "message"}
    assert result["label"] is None
    assert result["score"] is None
    assert result["scores"] == {}


def test_pages_are_newest_first_without_gaps_or_repeats(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(7):
        (inbox / f"{number}.jpg").write_bytes(photo(number))
    daemon.wait_for_all_answers(7)

    seen, following, pages = [], "/results?limit=3", 0
    while following:
        status, page = ask(daemon, following)
        assert status == 200
        assert set(page) == {"results", "next"}
        seen += [result["id"] for result in page["results"]]
        following, pages = page["next"], pages + 1
        (inbox / f"late-{pages}.jpg").write_bytes(photo(100 + pages))  # arrivals do not shift the pages
        daemon.wait_for_answer(f"late-{pages}.jpg")

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 7


def test_results_are_filtered_by_label_and_status(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "text.jpg").write_text("no photo")
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon.wait_for_all_answers(2)
    label = daemon.results_by_name()["a.jpg"]["label"]
    other = next(known for known in daemon.status()["model"]["labels"] if known != label)

    names = {}
    for query in (
        "status=failed",
        "status=classified",
        "status=pending",
        f"label={urllib.parse.quote(label)}",
        f"label={other}",
    ):
        names[query] = [result["file"] for result in ask(daemon, f"/results?{query}")[1]["results"]]

    assert list(names.values()) == [["text.jpg"], ["a.jpg"], [], ["a.jpg"], []]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "before=x", "status=lost", "before=1e3"]
)
def test_invalid_query_is_refused(shared_daemon: DaemonProcess, query: str) -> None:
    assert refused(shared_daemon, f"/results?{query}") == (400, "bad_request")


def test_single_result_has_history(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "history.jpg").write_bytes(photo(1))
    result = shared_daemon.wait_for_answer("history.jpg")

    status, document = ask(shared_daemon, f"/results/{result['id']}")

    assert status == 200
    assert set(document) == FIELDS | {"history", "next"}
    assert [step["event"] for step in document["history"]] == ["classified", "seen"]


@pytest.mark.parametrize(
    "path", ["/results/999", "/results/99999999999999999999", "/results/x", "/nothing", "/?file=no.jpg"]
)
def test_missing_resources_are_404(shared_daemon: DaemonProcess, path: str) -> None:
    assert refused(shared_daemon, path)[0] == 404


def test_file_responds_with_labels_and_scores(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "my dog.jpg").write_bytes(photo(1))
    result = shared_daemon.wait_for_answer("my dog.jpg")
    labels = shared_daemon.status()["model"]["labels"]

    for name in (
        "my%20dog.jpg",
        "my+dog.jpg",
        "./my%20dog.jpg",
        urllib.parse.quote(f"{shared_daemon.inbox}/my dog.jpg"),
    ):
        status, answer = ask(shared_daemon, f"/?file={name}")
        assert status == 200
        assert answer[0] == labels
        assert len(answer) == 2
        assert sum(answer[1]) == pytest.approx(1, abs=0.02)
        assert answer[1][labels.index(result["label"])] == pytest.approx(result["score"], abs=1e-6)


def test_file_finds_non_utf8_names(shared_daemon: DaemonProcess) -> None:
    with open(os.path.join(os.fsencode(shared_daemon.inbox), b"caf\xe9.jpg"), "wb") as file:
        file.write(photo(1))

    shown = shared_daemon.wait_for_answer("caf%E9.jpg")["file"]

    assert ask(shared_daemon, f"/?file={shown}")[0] == 200


@pytest.fixture(scope="module")
def links_out(shared_daemon: DaemonProcess) -> None:
    """A photo beside the inbox, and links inside that lead to it."""
    inbox = shared_daemon.inbox
    secret = inbox.parent / "secret.jpg"
    secret.write_bytes(photo(1))
    (inbox / "sub").mkdir()
    (inbox / "outside.jpg").symlink_to("../secret.jpg")
    (inbox / "outside").symlink_to("..")
    (inbox / "absolute.jpg").symlink_to(secret)
    (inbox / "sub" / "outside.jpg").symlink_to("../../secret.jpg")


@pytest.mark.usefixtures("links_out")
@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "../secret.jpg", "..%2Fsecret.jpg", "%2e%2e/secret.jpg", "sub/../../secret.jpg", "outside.jpg",
        "outside/secret.jpg", "absolute.jpg", "//etc/passwd", "sub/outside.jpg",
    ],
)  # fmt: skip
def test_file_outside_the_inbox_is_403(shared_daemon: DaemonProcess, name: str) -> None:
    assert refused(shared_daemon, f"/?file={name}") == (403, "outside")


def test_path_that_leaves_and_returns_is_403(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "inside.jpg").write_bytes(photo(1))

    assert refused(shared_daemon, "/?file=../inbox/inside.jpg") == (403, "outside")


def test_links_inside_the_inbox_are_followed(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "target.jpg").write_bytes(photo(1))
    (shared_daemon.inbox / "relative-link.jpg").symlink_to("target.jpg")
    (shared_daemon.inbox / "absolute-link.jpg").symlink_to(shared_daemon.inbox / "target.jpg")

    assert ask(shared_daemon, "/?file=relative-link.jpg")[0] == 200
    assert ask(shared_daemon, "/?file=absolute-link.jpg")[0] == 200


def test_file_that_is_no_photo_is_422(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "text.jpg").write_text("no photo")
    (shared_daemon.inbox / "empty.jpg").touch()
    (shared_daemon.inbox / "folder.jpg").mkdir()
    os.mkfifo(shared_daemon.inbox / "pipe.jpg")
    (shared_daemon.inbox / "half.jpg").write_bytes(photo(1)[:5000])

    codes = {name: refused(shared_daemon, f"/?file={name}.jpg") for name in ("text", "empty", "folder", "pipe", "half")}

    assert codes == {
        "text": (422, "unsupported"),
        "empty": (422, "empty"),
        "folder": (422, "unsupported"),
        "pipe": (422, "unsupported"),
        "half": (422, "truncated"),
    }


def test_status_has_counts_model_watcher_and_versions(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon.wait_for_all_answers(1)
    status = daemon.status()

    assert status["counts"] == {"pending": 0, "classified": 1, "failed": 0}
    assert set(status["model"]) >= {"name", "sha256", "labels"}
    assert set(status["watcher"]) >= {"mode", "reason", "last_scan"}
    assert {"dogid", "python", "backend"} <= set(status["versions"])
    assert status["uptime_seconds"] > 0


def test_unsupported_method_is_405(shared_daemon: DaemonProcess) -> None:
    request = urllib.request.Request(f"{shared_daemon.url}results", method="DELETE")

    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request)

    with refusal.value as response:
        assert response.code == 405
        assert json.load(response)["error"]["code"] == "method_not_allowed"


def test_results_survive_restart(make_daemon: MakeDaemon, inbox: Path) -> None:
    (inbox / "a.jpg").write_bytes(photo(1))
    daemon = make_daemon().start()
    before = daemon.wait_for_all_answers(1)
    assert daemon.stop() == 0

    assert make_daemon().start().wait_for_all_answers(1) == before


def test_port_in_use_stops_start(make_daemon: MakeDaemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        daemon = make_daemon("--port", str(port))
        daemon.launch()

        assert daemon.wait() == 2

    assert f"port {port} on 127.0.0.1 is in use" in daemon.log_text()
    assert "Traceback" not in daemon.log_text()


def test_ctrl_c_stops_daemon_cleanly(make_daemon: MakeDaemon) -> None:
    import signal

    daemon = make_daemon().start()
    daemon.send(signal.SIGINT)

    assert daemon.wait() == 0
    assert "Traceback" not in daemon.log_text()
