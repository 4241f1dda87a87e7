"""`dogid results --from`: another daemon's results over HTTP, and what may be there instead of one."""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from dogid.errors import DogidError, UsageError
from dogid.remote import connection, results
from dogid.remote.connection import parse_address
from dogid.remote.results import ResultStream, iterate_results
from tests.support.daemon import DaemonProcess, dogid, environment
from tests.support.photos import photo, put
from tests.support.waiting import eventually

TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def barn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with three photos and a file that is none, which asks for a token."""
    folder = tmp_path_factory.mktemp("barn")
    (folder / "inbox").mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    for number in range(3):
        put(folder / "inbox" / f"{number}.jpg", photo(number))
    put(folder / "inbox" / "text.jpg", b"no photo")
    made = DaemonProcess(
        folder / "inbox", folder / "state", "--settle", "1", "--token-file", str(folder / "token"), "--name", "barn"
    )
    made.start()
    eventually(lambda: _count(made) == 4, "all are answered")
    yield made
    made.close()


def _count(daemon: DaemonProcess) -> int:
    return sum(result["status"] != "pending" for result in _list_local(daemon))


def _list_local(daemon: DaemonProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(daemon.command("results", "--json").stdout)["results"]
    return found


def _address(daemon: DaemonProcess) -> connection.Address:
    return parse_address(daemon.url, daemon.state.parent / "token")


def test_remote_results_are_the_local_ones(barn: DaemonProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = ("results", "--from", barn.url, "--token-file", str(barn.state.parent / "token"))
    assert dogid(*remote, "--json").stdout == barn.command("results", "--json").stdout
    several = ("--status", "classified", "--present", "--reviewed", "false", "--limit", "2")
    printed = ("results", "--from", f"{barn.url}results", *remote[3:], *several)  # the daemon prints this one, too
    assert dogid(*printed).stdout == barn.command("results", *several).stdout
    score = next(result["score"] for result in _list_local(barn) if result["file"] == "1.jpg")
    bounds = ["--since", "12h", "--min-score", repr(score), "--max-score", repr(score), "--folder", ""]
    for flags, files in ((bounds, ["1.jpg"]), (["--until", "12h"], []), (["--folder", "gate"], [])):
        found = json.loads(dogid(*remote, *flags, "--json").stdout)["results"]
        assert [result["file"] for result in found] == files
    wrong = dogid(*remote, "--label", "wolf")
    assert wrong.returncode == 2
    assert "labels are" in wrong.stderr
    monkeypatch.setattr(results, "_PAGE", 1)
    assert [result["id"] for result in iterate_results(_address(barn), {}, 3)] == [4, 3, 2]
    assert len(list(iterate_results(_address(barn), {"status": "classified"}, 9))) == 3


def test_token_that_is_missing_or_wrong_is_named(barn: DaemonProcess, tmp_path: Path) -> None:
    without = dogid("results", "--from", barn.url)
    assert (without.returncode, without.stdout) == (2, "")
    assert "asks for a token; give a file with it by --token-file" in without.stderr
    (tmp_path / "token").write_text("f" * 32)
    with pytest.raises(UsageError, match=f"does not accept the token in {tmp_path}/token") as caught:
        list(iterate_results(parse_address(barn.url, tmp_path / "token"), {}, 1))
    assert "ffff" not in str(caught.value)


def test_new_results_are_followed_over_a_restart(barn: DaemonProcess) -> None:
    command = [sys.executable, "-m", "dogid", "results", "--from", barn.url, "--follow", "--json", "--limit", "2"]
    command += ["--token-file", str(barn.state.parent / "token")]
    lines, messages = list[str](), list[str]()
    with subprocess.Popen(command, env=environment(), text=True, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for stream, into in ((process.stdout, lines), (process.stderr, messages)):
            threading.Thread(target=lambda stream=stream, into=into: into.extend(iter(stream.readline, ""))).start()
        eventually(lambda: len(lines) == 2, "the newest two are printed first")
        put(barn.inbox / "new.jpg", photo(7))
        eventually(lambda: len(lines) == 3, "the new one is printed")
        barn.kill()
        eventually(lambda: messages, "the loss is reported")
        barn.flags = (*barn.flags, "--port", barn.url.rstrip("/").rpartition(":")[2])
        put(barn.inbox / "later.jpg", photo(8))
        barn.start()
        eventually(lambda: len(lines) == 4, "what came meanwhile is printed")
        process.terminate()
    assert [json.loads(line)["file"] for line in lines[2:]] == ["new.jpg", "later.jpg"]
    assert "connecting again" in messages[0]


def test_new_ones_alone_are_followed(barn: DaemonProcess) -> None:
    local = [sys.executable, "-m", "dogid", "results", "--follow", "--new", "--max-score", "1", "--json"]
    ways = (["--state", str(barn.state)], ["--from", barn.url, "--token-file", str(barn.state.parent / "token")])
    lines: list[list[str]] = [[], []]
    numbers = itertools.count()

    def both_print() -> bool:  # there is nothing to see of a follower that is ready
        number, count = next(numbers), _count(barn)
        put(barn.inbox / f"failed-{number}.jpg", b"no photo")
        put(barn.inbox / f"fresh-{number}.jpg", photo(20))
        eventually(lambda: _count(barn) == count + 2, "both are answered")
        return all(lines)

    with contextlib.ExitStack() as ended:
        for way, into in zip(ways, lines, strict=True):
            process = ended.enter_context(Popen([*local, *way], env=environment(), text=True, stdout=PIPE))
            assert process.stdout is not None
            ended.callback(process.terminate)
            threading.Thread(target=lambda out=process.stdout, into=into: into.extend(iter(out.readline, ""))).start()
        eventually(both_print, "both print")
    assert all(json.loads(line)["file"].startswith("fresh-") for each in lines for line in each)


class _Impostor(BaseHTTPRequestHandler):
    """A server that is no dogid; the first part of the path says what it does instead."""

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "page":
            self._answer(404, b"<html>not found</html>")
        elif kind == "html":
            self._answer(200, b"<html>a router</html>")
        elif kind == "json":
            self._answer(200, b'{"results": [{"a": 1}], "next": null}')
        elif kind == "again":
            self._answer(200, b'{"results": [{"id": 7, "file": "a", "status": "failed", "label": null}], "next": "/x"}')
        elif kind == "away":
            self.send_response(302)
            self.send_header("Location", "http://elsewhere.example:81/results")
            self.end_headers()
        elif kind == "broken":
            self._answer(200, b"{", length=100)
        elif kind in ("starting", "failing"):
            self._answer(503 if kind == "starting" else 500, b'{"error": {"code": "internal", "message": "not yet"}}')
        elif kind == "silent":
            self.rfile.read(1)  # until the other side gives up
        elif kind == "moved":
            self.send_response(302)
            self.send_header("Location", "/kept/results")
            self.end_headers()
        elif kind == "kept":
            token = self.headers["Authorization"]
            self._answer(
                200, json.dumps({"results": [{"id": 1, "file": token, "status": 0, "label": 0}], "next": None}).encode()
            )
        else:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(b"x" * 100_000)

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def impostor() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Impostor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("page", "answers 404, and not as dogid does; is it dogid"),
        ("html", "answers, but not with JSON; is it dogid"),
        ("json", "answers, but not as dogid does"),
        ("again", "its pages of results do not get on"),
        ("away", r"sends on to http://elsewhere\.example:81/, which is not followed; .* give its address by --from"),
        ("broken", "the connection broke: IncompleteRead"),
        ("endless", "its answer does not end"),
        ("starting", "/starting/: not yet$"),
        ("failing", "/failing/: 500 internal: not yet$"),
        ("silent", "no answer in 0.2 seconds; is the machine on, and its port open in the firewall"),
    ],
)
def test_what_is_no_dogid_is_named(impostor: str, monkeypatch: pytest.MonkeyPatch, kind: str, why: str) -> None:
    monkeypatch.setattr(connection, "_MOST_BYTES", 500_000)
    if kind == "silent":
        monkeypatch.setattr(connection, "_TIMEOUT", 0.2)
    with pytest.raises(DogidError, match=why):
        list(iterate_results(parse_address(f"{impostor}/{kind}", None), {}, 9))


def test_token_goes_along_within_one_server(impostor: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (result,) = iterate_results(parse_address(f"{impostor}/moved", tmp_path / "token"), {}, 9)
    assert result["file"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\nsecond line", "its first line is no token"),
        ("t\u00f6ken".encode(), "its first line is no token; copy the daemon's into it"),
    ],
)
def test_file_without_a_token_is_named(content: bytes | None, why: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(UsageError, match=f"--token-file {tmp_path}/token: {why}"):
        parse_address("http://barn:8000/", tmp_path / "token")


def test_https_to_a_port_without_it_is_named(impostor: str) -> None:
    with pytest.raises(DogidError, match=r"TLS fails: .*; does it speak https on this port\?"):
        list(iterate_results(parse_address(impostor.replace("http:", "https:"), None), {}, 9))


def test_events_of_what_is_no_dogid_are_refused(impostor: str) -> None:
    with pytest.raises(DogidError, match="has no events, so that it is not dogid"):
        next(ResultStream(parse_address(f"{impostor}/html", None), print).iterate(lambda: None))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("barn:8000", "is no address of a daemon; write the address"),
        ("ftp://barn/", "is no address of a daemon"),
        ("http://[::1", "is no address of a daemon"),
        ("http://ann:secret@barn/", "a user or password must not be in the address"),
        ("http://127.0.0.1:1/", r"nothing listens there; does the daemon run on this port\?"),
        ("http://no-such-host.invalid/", "the name cannot be resolved"),
    ],
)
def test_address_that_leads_nowhere_is_named(url: str, why: str) -> None:
    with pytest.raises(DogidError, match=why) as caught:
        list(iterate_results(parse_address(url, None), {}, 9))
    assert "secret" not in str(caught.value)
