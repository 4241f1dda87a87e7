"""Clients that send or read as slowly as they can, to keep the daemon from others."""

import selectors
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.resources import MIB, is_idle, resident
from tests.attacks.wire import hold_connections, read_all, request, request_head
from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

SLOW = 500


def test_slow_requests_block_nobody_and_are_cut_off(open_daemon: DaemonProcess) -> None:
    heads = b"GET /results HTTP/1.1\r\nHost: x\r\nX-Slow: "
    with hold_connections(open_daemon, SLOW) as connections:
        for connection in connections:
            connection.sendall(heads)
        with _trickle(connections) as still_open:
            _assert_answers(open_daemon)
            assert len(still_open) == SLOW, "the answer waited for slow requests to be cut off"
            eventually(lambda: _answers(open_daemon) and not still_open, "slow requests are cut off")


def test_slow_bodies_block_nobody(open_daemon: DaemonProcess) -> None:
    """Small ones may take as long as a slow radio needs; large ones come a few at a time."""
    with hold_connections(open_daemon, SLOW) as connections:
        for number, connection in enumerate(connections):
            length = {"Content_Length": "1000"} if number % 2 else {"Transfer_Encoding": "chunked"}
            connection.sendall(
                request_head(open_daemon, "/classify", "POST", **length) + b"5\r\nhello"[: 3 + number % 2]
            )
        with _trickle(connections) as still_open:
            for _ in range(20):
                _assert_answers(open_daemon)
            assert still_open, "the answers waited for slow bodies to be cut off"


def test_stalled_uploads_give_way_to_a_photo(open_daemon: DaemonProcess) -> None:
    with hold_connections(open_daemon, 4) as connections:
        for connection in connections:
            connection.sendall(request_head(open_daemon, "/classify", "POST", Content_Length="1000000") + b"x")
        data = photo(3, "PNG", size=(400, 400))
        assert len(data) > 65_536
        with _trickle(connections):
            answered = eventually(
                lambda: (reply := request(open_daemon, "/classify", "POST", body=data)).status == 200 and reply,
                "a photo is let in beside uploads that hardly move",
            )
            assert answered


def test_new_connections_replace_silent_ones(open_daemon: DaemonProcess) -> None:
    with hold_connections(open_daemon, 680):
        for _ in range(200):  # none of them is taken for the one who had its place
            _assert_answers(open_daemon)


@pytest.fixture(scope="module")
def with_long_answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with a long page of results."""
    folder = tmp_path_factory.mktemp("long")
    for number in range(1000):
        put(folder / "inbox" / f"{number}-{'x' * 150}.jpg", b"no photo")
    daemon = DaemonProcess(folder / "inbox", folder / "state", "--settle", "0")
    try:
        daemon.start().wait_for_all_answers(1000)
        yield daemon
    finally:
        daemon.close()


def test_unread_responses_hold_no_thread_and_bounded_memory(
    with_long_answers: DaemonProcess,
) -> None:
    daemon = with_long_answers
    page = len(request(daemon, "/results?limit=1000").body)
    assert page > 400_000
    with ThreadPoolExecutor(12) as readers:  # what answering costs, without those who do not read
        list(readers.map(lambda _: request(daemon, "/results?limit=1000"), range(24)))
    before = resident(daemon)
    asked = request_head(daemon, "/results?limit=1000")
    with hold_connections(daemon, 60, small_window=True) as connections:
        for connection in connections:
            connection.sendall(asked * 3)  # at once: the second must not wait in a thread for the first to be read
        _assert_answers(daemon)
        eventually(lambda: is_idle(daemon), "the daemon has done what it was asked for")
        grown = resident(daemon) - before
    assert grown < 30 * MIB, f"{grown / MIB:.0f} MiB for answers of {page} bytes that nobody reads"


def test_slow_reader_gets_complete_responses(with_long_answers: DaemonProcess) -> None:
    daemon = with_long_answers
    page = request(daemon, "/results?limit=1000").body
    with hold_connections(daemon, 1, small_window=True) as (connection,):
        asked = request_head(daemon, "/results?limit=1000")
        connection.sendall(asked * 2 + request_head(daemon, "/results?limit=1000", Connection="close"))
        assert read_all(connection).count(page) == 3


def test_unread_event_streams_block_nobody(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon("--settle", "1").start()
    with hold_connections(daemon, 100, small_window=True) as connections:
        for connection in connections:
            connection.sendall(request_head(daemon, "/events"))
        for _ in range(10):
            _assert_answers(daemon)


def _assert_answers(daemon: DaemonProcess) -> None:
    assert _answers(daemon)


def _answers(daemon: DaemonProcess) -> bool:
    return request(daemon, "/results").status == 200


class _trickle:  # noqa: N801
    """While the context lasts, each connection sends a byte a second; those that are closed leave the list."""

    def __init__(self, connections: list[socket.socket]) -> None:
        self._open = list(connections)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> list[socket.socket]:
        self._thread.start()
        return self._open

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for connection in self._open:
                selector.register(connection, selectors.EVENT_READ)
            while not self._over.wait(1):
                for connection in list(self._open):
                    if not _still_open(selector, connection):
                        self._open.remove(connection)


def _still_open(selector: selectors.BaseSelector, connection: socket.socket) -> bool:
    try:
        connection.sendall(b"0")
        if not any(key.fileobj is connection for key, _ in selector.select(0)):
            return True
        read_all(connection)
    except OSError:
        pass
    selector.unregister(connection)
    return False
