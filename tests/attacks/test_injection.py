"""Requests that two programs could read differently, and answers that an attacker would write headers into."""

import re

import pytest

from tests.attacks.wire import exchange, exchange_raw, host, multipart_form, request, request_head
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo

CANARY = b"X-Injected"


@pytest.mark.parametrize(
    "target",
    [
        "/?file=x%0d%0aX-Injected:%201", "/?file=x%0aX-Injected:%201", "/?file=%E5%98%8D%E5%98%8AX-Injected:%201",
        "/results?label=x%0d%0aX-Injected:%201", "/results?label=%0d%0a%0d%0a<script>",
        "/results?status=%0d%0aX-Injected:1",
        "/%0d%0aX-Injected:%201", "/results/%0d%0aX-Injected:%201", "//x%0d%0aX-Injected:%201/..",
        "/page/login?failed=%0d%0aX-Injected:1",
        "/results?limit=1&before=%0d%0aX-Injected:1", "/nothing%0d%0aSet-Cookie:%20dogid_session=x",
    ],
)  # fmt: skip
def test_url_parts_never_become_headers(open_daemon: DaemonProcess, target: str) -> None:
    reply = exchange(open_daemon, request_head(open_daemon, target))

    assert reply is not None
    assert not any(CANARY.decode().lower() in f"{name}\n{value}".lower() for name, value in reply.headers.items())
    assert reply.headers["Set-Cookie"] is None
    assert "\n" not in "".join(value for _, value in reply.headers.items())


@pytest.mark.parametrize(
    "name",
    [
        b"a\r\nX-Injected: 1.jpg", b"a%0d%0aX-Injected: 1.jpg", b'a"; X-Injected="1', b"a\0b.jpg", b"\xff\xfe.jpg",
        b"x" * 9000,
    ],
)  # fmt: skip
def test_upload_name_never_becomes_header_or_log_line(open_daemon: DaemonProcess, name: bytes) -> None:
    headers, body = multipart_form(name, photo(1))

    reply = request(open_daemon, "/classify", "POST", headers, body)

    assert reply.status in (200, 400)
    assert reply.headers[CANARY.decode()] is None
    assert all(not line.startswith("X-Injected") for line in open_daemon.log_text().splitlines())
    if reply.status == 200:
        assert len(reply.document["file"] or "") <= 255


SMUGGLED = b"GET /results/424242 HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Smuggled: 1\r\n\r\n"


def _post(daemon: DaemonProcess, *lines: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"POST /classify HTTP/{version}", f"Host: {host(daemon)}", *lines, "", ""]).encode("latin-1")


def _answers(received: bytes) -> int:
    return len(re.findall(rb"HTTP/1\.[01] \d{3} ", received))


AMBIGUOUS = {
    "two lengths": ["Content-Length: 3", "Content-Length: 60"],
    "the same length twice": ["Content-Length: 3", "Content-Length: 3"],
    "a list of lengths": ["Content-Length: 3, 60"],
    "a length and chunks": ["Content-Length: 3", "Transfer-Encoding: chunked"],
    "chunks and a length": ["Transfer-Encoding: chunked", "Content-Length: 3"],
    "a signed length": ["Content-Length: +3"],
    "a negative length": ["Content-Length: -3"],
    "a hexadecimal length": ["Content-Length: 0x3"],
    "a length with an underscore": ["Content-Length: 1_0"],
    "a length in other digits": ["Content-Length: \xb3"],
    "an empty length": ["Content-Length: "],
    "a space before the colon": ["Content-Length : 3"],
    "a tab before the colon": ["Transfer-Encoding\t: chunked"],
    "an unknown coding": ["Transfer-Encoding: xchunked"],
    "identity": ["Transfer-Encoding: identity"],
    "gzip and chunks": ["Transfer-Encoding: gzip, chunked"],
    "chunks twice": ["Transfer-Encoding: chunked, identity"],
    "a vertical tab": ["Transfer-Encoding: \x0bchunked"],
    "a next line": ["Transfer-Encoding: \x85chunked"],
    "a bare carriage return": ["X: a\rTransfer-Encoding: chunked"],
    "a bare line feed": ["X: a\nTransfer-Encoding: chunked"],
    "a folded first line": [" Content-Length: 3"],
    "a NUL in a name": ["Content-\0Length: 3"],
    "a NUL in a value": ["Content-Length: 3\0"],
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_ambiguous_body_length_is_refused_and_connection_closed(open_daemon: DaemonProcess, lines: list[str]) -> None:
    received = exchange_raw(open_daemon, _post(open_daemon, *lines) + b"0\r\n\r\n" + SMUGGLED)

    assert received.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 501", b"HTTP/1.0 501")), received[:200]
    assert _answers(received) == 1, "the connection was used on"
    assert b"424242" not in received


@pytest.mark.parametrize("version", ["1.0", "0.9", "1.2", "2.0", "9.9"])
def test_chunked_body_outside_http_1_1_is_refused(open_daemon: DaemonProcess, version: str) -> None:
    asked = _post(open_daemon, "Transfer-Encoding: chunked", "Connection: keep-alive", version=version)

    received = exchange_raw(open_daemon, asked + b"0\r\n\r\n" + SMUGGLED)

    assert b" 400 " in received.splitlines()[0]
    assert _answers(received) == 1


@pytest.mark.parametrize(
    "chunks",
    [
        b"-1\r\nx\r\n0\r\n\r\n", b"+3\r\nabc\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n", b" 3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n", b"g\r\nabc\r\n0\r\n\r\n", b"1_0\r\nabc\r\n0\r\n\r\n", b"3\r\nabcdef\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"3;\nx\r\nabc\r\n0\r\n\r\n", b"\xb3\r\nabc\r\n0\r\n\r\n",
    ],
)  # fmt: skip
def test_malformed_chunk_closes_connection(open_daemon: DaemonProcess, chunks: bytes) -> None:
    received = exchange_raw(open_daemon, _post(open_daemon, "Transfer-Encoding: chunked") + chunks + SMUGGLED)

    assert received.startswith(b"HTTP/1.1 400"), received[:200]
    assert _answers(received) == 1
    assert b"424242" not in received


@pytest.mark.parametrize("part", [b"", b"0\r\nX-Trailer: "], ids=["a chunk's size", "a trailer"])
def test_endless_chunk_line_is_cut_off(open_daemon: DaemonProcess, part: bytes) -> None:
    """Else each packet would be appended to what came before, and all of it searched again."""
    reply = exchange(open_daemon, _post(open_daemon, "Transfer-Encoding: chunked") + part + b"0" * 2_000_000)

    assert reply is None or reply.status == 400  # None: it closed while we still sent


def test_request_inside_body_is_not_answered(open_daemon: DaemonProcess) -> None:
    asked = _post(open_daemon, f"Content-Length: {len(SMUGGLED)}") + SMUGGLED

    received = exchange_raw(open_daemon, asked)

    assert _answers(received) == 1
    assert received.startswith(b"HTTP/1.1 422")


def test_folded_header_is_refused(open_daemon: DaemonProcess) -> None:
    asked = f"GET /results HTTP/1.1\r\nHost: {host(open_daemon)}\r\nX-Fold: a\r\n Host: evil.example\r\n\r\n".encode()

    reply = exchange(open_daemon, asked)

    assert reply is not None
    assert reply.status == 400


def test_expect_without_body_does_not_swallow_next_request(open_daemon: DaemonProcess) -> None:
    asked = request_head(open_daemon, "/results/41", Expect="100-continue") + request_head(
        open_daemon, "/results/42", Connection="close"
    )

    received = exchange_raw(open_daemon, asked)

    assert received.count(b"HTTP/1.1 404") == 2
    assert received.index(b"no result 41") < received.index(b"no result 42")


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_header_does_not_override_method(open_daemon: DaemonProcess, name: str) -> None:
    assert request(open_daemon, "/classify", headers={name: "POST"}).status == 405
    assert request(open_daemon, "/results", "POST", {name: "GET"}).status == 405
    assert request(open_daemon, "/results?_method=GET", "POST").status == 405


GARBAGE = {
    "a TLS greeting": bytes.fromhex("16030100c8010000c40303") + bytes(range(200)),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /results\r\n\r\n",
    "half a word": b"GE",
    "zeros": bytes(20_000),
    "all bytes": bytes(range(256)) * 100,
    "line feeds": b"\n" * 20_000,
    "empty lines": b"\r\n" * 20_000,
    "an endless target": b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
    "endless headers": b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(5000)) + b"\r\n",
    "spaces in the target": b"GET / /results HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a small method": b"get /results HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a bracket": b"GET http://[::1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a bad escape": b"GET /%zz%%%e HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "TRACE": b"TRACE /results HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: secret\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "memory of a multipart boundary": b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
    b"Content-Type: multipart/form-data; boundary=\xff\xfe\r\n\r\nabcd",
    "a form without a boundary": b"POST /classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n"
    b"Content-Type: multipart/form-data\r\n\r\nabcd",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_gets_error_or_nothing(open_daemon: DaemonProcess, data: bytes) -> None:
    received = exchange_raw(open_daemon, data)

    lines = [line for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.")]
    assert all(line.split()[1][:1] == b"4" or line.split()[1] == b"501" for line in lines), lines
    assert b"secret" not in received
