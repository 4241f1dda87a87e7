"""Daemons that are attacked, and what must be true of them after every attack."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks.wire import Reply, request
from tests.support.answers import answer
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

TOKEN = "a-token-that-nobody-guesses-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Ask = Callable[..., Reply]


@pytest.fixture(scope="module")
def stronghold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon on the loopback address, which needs no token."""
    yield from _daemon(tmp_path_factory.mktemp("stronghold"))


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that other machines reach, with a token."""
    folder = tmp_path_factory.mktemp("locked")
    token = put(folder / "token", TOKEN.encode() + b"\n")
    yield from _daemon(folder, "--host", "0.0.0.0", "--token-file", str(token))


def _daemon(folder: Path, *flags: str) -> Iterator[DaemonProcess]:
    inbox = folder / "inbox"
    put(inbox / "mine.jpg", photo(1))
    daemon = DaemonProcess(inbox, folder / "state", "--settle", "1", *flags)
    try:
        yield daemon.start()
    finally:
        daemon.close()


@pytest.fixture(autouse=True)
def still_stands(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every attack the daemon answers, and classifies rightly."""
    yield
    if "stronghold" in request.fixturenames:
        assert_stands(request.getfixturevalue("stronghold"))
    if "locked" in request.fixturenames:
        assert_stands(request.getfixturevalue("locked"), BEARER)


def assert_stands(daemon: DaemonProcess, headers: dict[str, str] | None = None) -> None:
    """The same process answers, is healthy, classifies rightly, and no request has ended in a traceback."""
    data = photo(77)
    headers = headers or {}
    assert daemon.running
    assert request(daemon, "/healthz", headers=headers).status == 200
    assert request(daemon, "/results", headers=headers).status == 200
    sent = request(daemon, "/classify", "POST", headers, data)
    assert (sent.status, sent.json["scores"]) == (200, answer(data))
    log = daemon.log_text()
    assert "dogid/web/" not in log, f"a traceback through the web interface: {log[-3000:]}"
    assert "waitress" not in log, f"a traceback through the server: {log[-3000:]}"
