"""Webhooks as their receivers see them: verified by the specification's own package."""

import base64
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from dogid.outputs import http_request
from dogid.outputs.output import OutputConfigError, OutputError, RefusedError
from dogid.outputs.webhook import Webhook, make_output, parse_headers, parse_secret, read_retry_after
from tests.outputs.certificates import NEEDS_OPENSSL, make_certificate
from tests.outputs.deliveries import make_context, make_delivery, send
from tests.outputs.http_receiver import Handler, Receiver, receiving, reply, reply_in_turn

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def make(folder: Path, url: str, **others: Any) -> Webhook:
    return make_output({"type": "webhook", "url": url, **others}, make_context(folder))


def fault(output: Webhook, *numbers: int) -> OutputError:
    """Send deliveries, which must fail; return the error."""
    with pytest.raises(OutputError) as raised:
        output.send([make_delivery(number) for number in numbers or (1,)], lambda _: None)
    return raised.value


def test_receiver_verifies_signature_and_reads_the_result(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    output = make(tmp_path, receiver.url + "hook?a=1", secret_file=str(tmp_path / "secret"))

    assert send(output, [make_delivery(1, label="M\u00fcnsterl\u00e4nder \U0001f436"), make_delivery(2)]) == [1, 2]

    first, second = receiver.requests
    data = Verifier(SECRET).verify(first.body, first.headers)
    assert first.path == "/hook?a=1"
    assert first.headers["webhook-id"] == "0a1b2c3d-1"
    assert data["type"] == "dogid.event"
    assert data["timestamp"] == "2026-09-21T14:13:20.000Z"
    assert data["data"]["result"]["label"] == "M\u00fcnsterl\u00e4nder \U0001f436"
    assert data["data"]["page"] == "http://127.0.0.1:8000/page/photo/1"
    assert Verifier(SECRET).verify(second.body, second.headers)["data"]["id"] == "0a1b2c3d-2"
    assert receiver.connections == 1


def test_headers_come_from_a_file_anew_each_time(tmp_path: Path, receiver: Receiver) -> None:
    file = tmp_path / "headers"
    output = make(tmp_path, receiver.url, headers_file=str(file))
    assert "headers_file: " in str(fault(output))

    file.write_text("# for the receiver\nAuthorization: Bearer abc def\n")
    send(output, [make_delivery()])

    assert receiver.requests[0].headers["Authorization"] == "Bearer abc def"


@pytest.mark.parametrize("text", ["no colon", "Host: elsewhere", "webhook-id: 1", "A: b\x00", "X-\u00e4: b", "A:"])
def test_header_lines_that_cannot_be_sent_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2: "):
        parse_headers(f"A: b\n{text}")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 499, 301, 304])
def test_refusal_is_for_a_person(tmp_path: Path, receiver: Receiver, status: int) -> None:
    receiver.answer = reply(status)

    error = fault(make(tmp_path, receiver.url + "secret-path"))

    assert isinstance(error, RefusedError)
    assert f"answers {status}" in str(error)
    assert "secret-path" not in str(error)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [(500, None, None), (503, "7", 7), (429, "86400", 3600), (408, "soon", None), (429, "-1", None), (599, None, None)],
)
def test_what_may_pass_is_tried_again(
    tmp_path: Path, receiver: Receiver, status: int, header: str | None, seconds: float | None
) -> None:
    receiver.answer = reply(status) if header is None else reply(status, Retry_After=header)

    error = fault(make(tmp_path, receiver.url))

    assert not isinstance(error, RefusedError)
    assert error.retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    assert read_retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40.5) == 60
    assert read_retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 1e9) == 0
    assert read_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", 0) == 3600


def test_those_before_a_fault_are_acknowledged(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = reply_in_turn(reply(), reply(), reply(500), reply())
    output, acknowledged = make(tmp_path, receiver.url), list[int]()

    with pytest.raises(OutputError):
        output.send([make_delivery(number) for number in range(1, 5)], acknowledged.append)

    assert acknowledged == [1, 2]


def test_redirect_within_the_host_is_followed(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = reply_in_turn(reply(308, Location="/new?x=1"), reply())

    assert send(make(tmp_path, receiver.url), [make_delivery()]) == [1]
    assert [request.path for request in receiver.requests] == ["/", "/new?x=1"]
    assert receiver.requests[0].body == receiver.requests[1].body


def test_redirect_to_elsewhere_is_not_followed(tmp_path: Path, receiver: Receiver) -> None:
    with receiving() as other:
        for target, reason in [
            (other.url, "not followed"),
            (receiver.url.replace("http:", "https:"), "not followed"),
            ("//127.0.0.1/", "not followed"),
            ("ftp://localhost/", "without an address"),
            ("http://[/", "without an address"),
        ]:
            receiver.answer = reply(307, Location=target)
            error = fault(make(tmp_path, receiver.url))
            assert isinstance(error, RefusedError)
            assert reason in str(error)
        assert other.requests == []

    receiver.answer = reply(307, Location="/")
    assert "more than 3 times" in str(fault(make(tmp_path, receiver.url)))


def test_hanging_receiver_is_given_up(tmp_path: Path, receiver: Receiver) -> None:
    def hang(handler: Handler) -> None:
        handler.receiver.done.wait()

    receiver.answer = hang

    assert "no answer in time" in str(fault(make(tmp_path, receiver.url, timeout=1)))


def test_slow_headers_are_given_up_as_a_whole(tmp_path: Path, receiver: Receiver) -> None:
    def trickle(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not handler.receiver.done.wait(0.1):
            handler.wfile.write(b"A: b\r\n")

    receiver.answer = trickle

    assert "no answer in time" in str(fault(make(tmp_path, receiver.url, timeout=1)))


def test_endless_answers_are_not_read(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_request, "_MOST_BYTES", 4096)

    def stream(start: bytes) -> Any:
        def answer(handler: Handler) -> None:
            handler.wfile.write(start)
            while not handler.receiver.done.is_set():
                handler.wfile.write(b"A: " + b"x" * 1000 + b"\r\n")

        return answer

    receiver.answer = stream(b"HTTP/1.1 200 OK\r\n")
    assert "its answer has no end" in str(fault(make(tmp_path, receiver.url)))

    receiver.answer = stream(b"HTTP/1.1 200 OK\r\n\r\n")  # accepted, whatever follows
    assert send(make(tmp_path, receiver.url), [make_delivery(1), make_delivery(2)]) == [1, 2]


def test_answer_that_is_not_http_is_named(tmp_path: Path, receiver: Receiver) -> None:
    def greet(handler: Handler) -> None:
        handler.wfile.write(b"220 mail ESMTP secret\r\n")

    receiver.answer = greet

    error = str(fault(make(tmp_path, receiver.url)))

    assert "its answer is not HTTP" in error
    assert "secret" not in error


def test_connection_that_was_closed_in_between_is_made_anew(tmp_path: Path, receiver: Receiver) -> None:
    def close(handler: Handler) -> None:
        reply()(handler)
        handler.close_connection = True  # without announcing it

    receiver.answer = close

    assert send(make(tmp_path, receiver.url), [make_delivery(1), make_delivery(2)]) == [1, 2]
    assert len(receiver.requests) == 2


def test_receiver_that_is_away_is_named_without_secrets(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        file = tmp_path / "url"
        for url, message in [
            (f"http://user:pass@127.0.0.1:{port}/key", f"127.0.0.1 port {port}: Connection refused"),
            ("http://user:pass@nowhere.invalid/key", "nowhere.invalid: the name cannot be resolved: "),
            ("http://user:pass/key", "url_file: "),
        ]:
            file.write_text(url)
            output = make_output({"url_file": str(file)}, make_context(tmp_path))
            for error in (str(fault(output)), _check_fault(output)):
                assert error.startswith(message)
                assert "pass" not in error
                assert "key" not in error


def _check_fault(output: Webhook) -> str:
    with pytest.raises(OutputError) as raised:
        output.check()
    return str(raised.value)


def test_address_in_a_file_may_hold_a_password(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "url").write_text(receiver.url.replace("//", "//me:p%40ss@") + "hook")
    output = make_output({"url_file": str(tmp_path / "url")}, make_context(tmp_path))

    send(output, [make_delivery()])

    assert receiver.requests[0].headers["Authorization"] == f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert receiver.requests[0].path == "/hook"


@NEEDS_OPENSSL
def test_only_certificates_of_known_authorities_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, both = make_certificate(tmp_path)

    with receiving(certificate=both) as receiver:
        error = str(fault(make(tmp_path, receiver.url)))
        assert error.startswith("localhost: its certificate is not accepted: self-signed certificate")
        assert "is its own" not in error
        assert "ca_file" in error

        trusting = make(tmp_path, receiver.url, ca_file=str(certificate))
        assert send(trusting, [make_delivery()]) == [1]
        assert "can be reached" in trusting.check()
        (tmp_path / "second").mkdir()
        other, _ = make_certificate(tmp_path / "second")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # of the system's authorities, which an own one replaces
        assert send(make(tmp_path, receiver.url), [make_delivery()]) == [1]
        assert "not accepted" in str(fault(make(tmp_path, receiver.url, ca_file=str(other))))
        assert "ca_file: " in str(fault(make(tmp_path, receiver.url, ca_file=str(tmp_path / "none"))))

    with receiving() as plain:
        assert "TLS fails" in str(fault(make(tmp_path, plain.url.replace("http", "https"))))


def test_stop_ends_a_batch_early(tmp_path: Path, receiver: Receiver) -> None:
    stopping = threading.Event()
    output = make_output({"url": receiver.url}, make_context(tmp_path, stopping=stopping))

    output.send([make_delivery(1), make_delivery(2)], lambda _: stopping.set())

    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "url: give either url, or url_file"),
        ({"url": "http://a/", "url_file": "b"}, "url: give either"),
        ({"url": "ftp://a/"}, "url: must begin with https"),
        ({"url": "http:///path"}, "url: must begin with https"),
        ({"url": "http://a:99999/"}, "url: is not an address"),
        ({"url": "http://a/\u00e4"}, "url: must have blanks"),
        ({"url": "http://a/\r\nb: c"}, "url: "),
        ({"url": "http://me:word@a/"}, "url: holds a password"),
        ({"url": "http://a/", "timeout": 1000}, "timeout: "),
    ],
)
def test_wrong_settings_name_the_key(tmp_path: Path, table: dict[str, object], message: str) -> None:
    with pytest.raises(OutputConfigError, match=f"^{message}"):
        make_output(table, make_context(tmp_path))


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"])
def test_wrong_secret_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and 24 to 64 random bytes") as raised:
        parse_secret(text)
    assert len(text) < 8 or text not in str(raised.value)


def test_nothing_secret_is_logged(tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "secret").write_text(SECRET)
    send(make(tmp_path, receiver.url + "key", secret_file=str(tmp_path / "secret")), [make_delivery()])

    assert caplog.text == ""
    assert json.loads(receiver.requests[0].body)["data"]["daemon"] == "barn"
    assert os.listdir(tmp_path) == ["secret"]
