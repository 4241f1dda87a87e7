"""Daemons that are attacked, and what must be true of them after every attack."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks.wire import request
from tests.support.daemon import DaemonProcess
from tests.support.expected_scores import expected_scores
from tests.support.http_client import Reply
from tests.support.photos import photo, put
from tests.support.waiting import eventually

TOKEN = "a-token-that-nobody-knows-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

Ask = Callable[..., Reply]


@pytest.fixture(scope="module")
def open_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon on the loopback address, which needs no token."""
    yield from _daemon(tmp_path_factory.mktemp("open"), {})


@pytest.fixture(scope="module")
def token_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon that other machines reach, with a token."""
    folder = tmp_path_factory.mktemp("token")
    token = put(folder / "token", TOKEN.encode() + b"\n")
    yield from _daemon(folder, BEARER, "--host", "0.0.0.0", "--token-file", str(token))


def _daemon(folder: Path, headers: dict[str, str], *flags: str) -> Iterator[DaemonProcess]:
    inbox = folder / "inbox"
    put(inbox / "mine.jpg", photo(1))
    daemon = DaemonProcess(inbox, folder / "state", "--settle", "1", *flags)
    try:
        yield daemon.start()
        assert_still_healthy(daemon, headers)
    finally:
        daemon.close()


@pytest.fixture(autouse=True)
def _daemons_survive(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check the daemons after every attack: briefly, so that the guilty one is known; fully where it succeeded."""
    failed = request.session.testsfailed
    yield
    for name, headers in (("open_daemon", {}), ("token_daemon", BEARER)):
        if name in request.fixturenames:
            daemon = request.getfixturevalue(name)
            assert_still_running(daemon, headers)
            if request.session.testsfailed > failed:
                assert_still_healthy(daemon, headers)


def assert_still_running(daemon: DaemonProcess, headers: dict[str, str]) -> None:
    """Assert that the same process is healthy, and that no request has ended in a traceback."""
    assert daemon.running
    eventually(lambda: request(daemon, "/healthz", headers=headers).status == 200, "it is healthy")
    log = daemon.log_text()
    assert "dogid/web/" not in log, f"a traceback through the web interface: {log[-3000:]}"
    assert "waitress" not in log, f"a traceback through the server: {log[-3000:]}"


def assert_still_healthy(daemon: DaemonProcess, headers: dict[str, str]) -> None:
    """Assert that the same process runs, lists results, and classifies correctly."""
    assert_still_running(daemon, headers)
    assert request(daemon, "/results", headers=headers).status == 200
    data = photo(77)
    sent = eventually(
        lambda: found if (found := request(daemon, "/classify", "POST", headers, data)).status != 503 else None,
        "others' uploads are over",
    )
    assert (sent.status, sent.document["scores"]) == (200, expected_scores(data))
