"""Bodies that are larger than they say, or than anybody needs."""

import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.attacks.resources import MIB, measure_peak
from tests.attacks.wire import connect, exchange, hold_connections, multipart_form, read_reply, request, request_head
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo
from tests.support.waiting import eventually

LARGEST = 20_000_000


@pytest.mark.parametrize("length", ["10000000000", "99999999999999999999", "20100000"])
@pytest.mark.parametrize("target", ["/classify", "/login", "/results", "/nothing"])
def test_huge_body_is_refused_before_it_is_sent(open_daemon: DaemonProcess, target: str, length: str) -> None:
    reply = exchange(open_daemon, request_head(open_daemon, target, "POST", Content_Length=length))

    assert reply is not None
    assert reply.status == 413
    assert reply.code == "too_large"


def test_expect_continue_of_huge_body_is_refused(open_daemon: DaemonProcess) -> None:
    asked = request_head(open_daemon, "/classify", "POST", Content_Length="10000000000", Expect="100-continue")
    with connect(open_daemon) as connection:
        connection.sendall(asked)
        first = connection.recv(65536)

    assert first.startswith(b"HTTP/1.1 413")


def test_endless_chunks_are_cut_off(open_daemon: DaemonProcess) -> None:
    with measure_peak(open_daemon) as peak, connect(open_daemon) as connection:
        connection.sendall(request_head(open_daemon, "/classify", "POST", Transfer_Encoding="chunked"))
        chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
        sent = 0
        with suppress(OSError):
            while sent < 200:
                connection.sendall(chunk)
                sent += 1
    # what is allowed, what is thrown away so that the client can hear the refusal, what the kernel keeps
    assert sent < 20 + 64 + 20, "the daemon took as many bytes as it was given"
    assert peak.resident < 40 * MIB
    assert peak.disk < 60 * MIB


def test_concurrent_large_bodies_use_bounded_memory_and_disk(open_daemon: DaemonProcess) -> None:
    part = bytes(MIB)

    def send(number: int) -> int | None:
        lines = {"Transfer_Encoding": "chunked"} if number % 2 else {"Content_Length": str(18 * MIB)}
        with connect(open_daemon) as connection, suppress(OSError):
            connection.sendall(request_head(open_daemon, "/classify", "POST", **lines))
            for _ in range(18):
                connection.sendall(b"100000\r\n" + part + b"\r\n" if number % 2 else part)
            if number % 2:
                connection.sendall(b"0\r\n\r\n")
            reply = read_reply(connection)
            return None if reply is None else reply.status
        return None

    with measure_peak(open_daemon) as peak, ThreadPoolExecutor(20) as senders:
        assert 200 not in set(senders.map(send, range(20)))
    assert peak.resident < 100 * MIB
    assert peak.disk < 7 * LARGEST
    wait_for_capacity(open_daemon)


def wait_for_capacity(daemon: DaemonProcess) -> None:
    """Wait until bodies whose senders are gone no longer keep others out: the test after this one may need to send."""
    body = bytes(3_000_000)
    eventually(lambda: request(daemon, "/classify", "POST", body=body).status != 503, "a large upload is accepted")


def test_large_bodies_pipelined_after_events_are_bounded(open_daemon: DaemonProcess) -> None:
    """Waiting for their turn behind /events, they would lie on the disk for as long as it lasts."""
    with measure_peak(open_daemon) as peak, hold_connections(open_daemon, 20) as connections:
        for connection in connections:
            body = request_head(open_daemon, "/classify", "POST", Content_Length="3000000") + bytes(3_000_000)
            with suppress(OSError):
                connection.sendall(request_head(open_daemon, "/events") + body)
        assert request(open_daemon, "/results").status == 200
    assert peak.disk < 10 * 3_000_000
    wait_for_capacity(open_daemon)


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b'--w\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n\r\n' % at for at in range(50_000)),
        b'--w\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 5_000_000 + b"\r\n--w--\r\n",
        b"--w\r\n" + b"X-Header: " + b"y" * 5_000_000 + b"\r\n\r\nx\r\n--w--\r\n",
        b"--w\r\n" + b"X: y\r\n" * 500_000 + b"\r\nx\r\n--w--\r\n",
        b"\r\n--w" * 1_000_000,
        b"--w\r\n" * 1_000_000,
        b"-" * 5_000_000,
        b"\r" * 5_000_000,
        b'--w\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"\r\n--v" * 1_000_000,
    ],
    ids=[
        "many parts", "a large field", "a large header", "many headers", "boundaries", "open parts", "dashes",
        "returns", "near ends",
    ],
)  # fmt: skip
def test_pathological_forms_are_refused(open_daemon: DaemonProcess, body: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=w"}
    with measure_peak(open_daemon) as peak:
        reply = request(open_daemon, "/classify", "POST", headers, body)

    assert reply.status in (400, 413, 422)
    assert peak.resident < 80 * MIB


def test_large_login_is_refused(token_daemon: DaemonProcess) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"token=" + b"x" * 5_000_000, b"&".join(b"a%d=1" % number for number in range(500_000))):
        with measure_peak(token_daemon) as peak:
            assert request(token_daemon, "/login", "POST", headers, body).status in (303, 400, 413)
        assert peak.resident < 60 * MIB


def test_compressed_body_is_not_decompressed(open_daemon: DaemonProcess) -> None:
    bomb = zlib.compress(bytes(10**8), 9)
    for coding in ("gzip", "deflate", "br"):
        with measure_peak(open_daemon) as peak:
            reply = request(open_daemon, "/classify", "POST", {"Content-Encoding": coding}, bomb)
        assert reply.status in (415, 422)
        assert peak.resident < 30 * MIB


def test_concurrent_uploads_beyond_capacity_get_503(open_daemon: DaemonProcess) -> None:
    headers, body = multipart_form(b"a.jpg", photo(5, size=(3000, 2000)))
    asked = request_head(open_daemon, "/classify", "POST", Content_Length=str(len(body)), **headers) + body

    def ask(number: int) -> int:  # noqa: ARG001
        reply = exchange(open_daemon, asked)
        return 503 if reply is None else reply.status  # None: it closed while we still sent

    with measure_peak(open_daemon) as peak, ThreadPoolExecutor(24) as senders:
        statuses = list(senders.map(ask, range(24)))
        assert request(open_daemon, "/results").status == 200

    assert set(statuses) <= {200, 503}
    assert statuses.count(200) >= 2
    assert peak.resident < 80 * MIB
