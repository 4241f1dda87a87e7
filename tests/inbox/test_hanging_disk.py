"""An inbox on a network disk whose server does not answer: all say so, uploads go on, and nothing needs a restart."""

import contextlib
import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dogid.conditions import inbox_hangs, ledger_hangs
from dogid.daemon import condition_monitor, overall_health, supervisor
from dogid.daemon.daemon import Daemon
from dogid.ledger import queries
from dogid.pipeline.photo_processor import PhotoProcessor
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from tests.support.daemon import dogid
from tests.support.photos import photo, put
from tests.support.remote_disk import RemoteDisk
from tests.support.waiting import TIMEOUT, eventually


@pytest.fixture
def disk(inbox: Path, tmp_path: Path) -> Iterator[RemoteDisk]:
    """The inbox, on a disk that can hang."""
    made = RemoteDisk(tmp_path / "remote", inbox)
    yield made
    made.close()


@pytest.fixture
def daemon(disk: RemoteDisk, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon that runs, and notices quickly that the inbox hangs."""
    monkeypatch.setattr(condition_monitor, "HANG_SECONDS", 0.5)
    monkeypatch.setattr(overall_health, "BLOCKED_SECONDS", 0.5)
    monkeypatch.setattr(supervisor, "INTERVAL_SECONDS", 0.2)
    made = Daemon(Settings(inbox=inbox, state=tmp_path / "state", workers=1, decode_timeout=1.0))
    with made.running():
        yield made
        disk.resume()


@pytest.fixture
def client(daemon: Daemon) -> FlaskClient:
    return create_app(daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()


def classified(daemon: Daemon) -> int:
    return queries.count_by_status(daemon.reader())["classified"]


def test_hanging_inbox_is_reported_alike_everywhere(
    daemon: Daemon, client: FlaskClient, disk: RemoteDisk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    put(disk.folder / "a.jpg", photo(1))
    eventually(lambda: classified(daemon) == 1, "the first photo is classified")
    disk.hang()
    message = inbox_hangs(daemon.inbox)
    eventually(lambda: not daemon.health.ok, "it is not healthy")
    folders = ("--inbox", str(daemon.inbox), "--state", str(daemon.state))
    eventually(lambda: message in dogid("status", *folders).stdout, "dogid status reports it")

    assert client.get("/healthz").get_json()["error"]["message"] == message
    assert client.get("/status").get_json()["watcher"]["trouble"] == message
    assert message in client.get("/").text
    assert client.get("/?file=a.jpg").get_json()["error"] == {"code": "busy", "message": message}
    assert client.post("/classify", data=photo(2)).status_code == 200
    assert json.loads(dogid("status", "--json", *folders).stdout)["problem"] == message
    assert message in dogid("why", "a.jpg", *folders).stderr
    logged = [record.getMessage() for record in caplog.records]
    assert logged.count(message) == logged.count(f"solved: {message}") + 1  # a busy machine may seem to hang before
    disk.resume()
    put(disk.folder / "b.jpg", photo(3))
    eventually(lambda: classified(daemon) == 2, "the next photo is classified")
    eventually(lambda: daemon.health.ok and daemon.watch_status.problem is None, "it is healthy again")
    eventually(lambda: f"solved: {message}" in caplog.text, "that is logged")


def test_worker_that_waits_for_the_disk_needs_no_restart(
    daemon: Daemon, disk: RemoteDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog is pinged on: a restart would wait for the same disk, and end the web page."""
    reading, pings = threading.Event(), queue.SimpleQueue[None]()
    original = PhotoProcessor.process

    def hang_and_process(*args: object) -> object:
        disk.hang()
        reading.set()
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(PhotoProcessor, "process", hang_and_process)
    put(disk.folder / "a.jpg", photo(1))
    assert reading.wait(TIMEOUT)
    eventually(lambda: not daemon.health.ok, "it is not healthy")
    monkeypatch.setattr(daemon.supervisor.health_check, "on_healthy", lambda: pings.put(None))

    pings.get(timeout=TIMEOUT)
    eventually(lambda: daemon.health.reason == inbox_hangs(daemon.inbox), "the reason is the inbox")
    disk.resume()
    monkeypatch.undo()
    eventually(lambda: classified(daemon) == 1, "the photo is classified")


@contextlib.contextmanager
def busy(state: Path) -> Iterator[None]:
    """Hold the ledger for writing, as another program may."""
    with contextlib.closing(sqlite3.connect(state / "ledger.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def test_ledger_that_hangs_is_not_taken_for_the_inbox(daemon: Daemon, disk: RemoteDisk) -> None:
    eventually(lambda: daemon.health.ok, "it is healthy")
    with busy(daemon.state):  # which a write waits for as for a disk
        put(disk.folder / "a.jpg", photo(1))
        eventually(lambda: daemon.watch_status.problem == ledger_hangs(daemon.state), "the problem is the ledger")
    eventually(lambda: classified(daemon) == 1, "the photo is classified")
    eventually(lambda: daemon.watch_status.problem is None, "no problem is left")


def test_state_disk_that_hangs_is_named_and_the_watchdog_not_pinged(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(condition_monitor, "HANG_SECONDS", 0.5)
    monkeypatch.setattr(overall_health, "BLOCKED_SECONDS", 0.5)
    monkeypatch.setattr(supervisor, "INTERVAL_SECONDS", 0.2)
    state = tmp_path / "state"
    state.mkdir()
    disk = RemoteDisk(tmp_path / "remote", state)
    daemon = Daemon(Settings(inbox=inbox, state=state, workers=1, decode_timeout=1.0))
    client = create_app(daemon, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    pings = queue.SimpleQueue[None]()
    try:
        with daemon.running(), contextlib.ExitStack() as stack:
            stack.callback(disk.resume)  # else the daemon could not stop
            eventually(lambda: daemon.health.ok, "it is healthy")
            monkeypatch.setattr(daemon.supervisor.health_check, "on_healthy", lambda: pings.put(None))
            disk.hang()
            eventually(lambda: daemon.health.reason == ledger_hangs(state), "it is not healthy")
            while not pings.empty():  # of before
                pings.get()
            eventually(lambda: not daemon.supervisor.health_check.health.ok, "the check itself hangs")
            assert pings.empty()
            assert client.get("/healthz").get_json()["error"]["message"] == ledger_hangs(state)
            disk.resume()
            pings.get(timeout=TIMEOUT)
            eventually(lambda: daemon.health.ok, "it is healthy again")
    finally:
        disk.close()
