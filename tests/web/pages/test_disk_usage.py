"""The page shows how much space is free, and does not wait for a disk that hangs."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dogid.daemon.daemon import Daemon
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from dogid.web.pages.disk_usage import Disk
from tests.support.waiting import TIMEOUT, eventually

VIEWS = 12  # more than the server has threads


class Mount:
    """A folder whose disk can be made to hang, as that of a server that is gone does."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.looks = 0
        self._works = threading.Event()
        self._works.set()
        self._statvfs = os.statvfs
        monkeypatch.setattr(os, "statvfs", self._answer_when_it_works)

    def hangs(self) -> None:
        self._works.clear()

    def works(self) -> None:
        self._works.set()

    def _answer_when_it_works(self, folder: Path) -> os.statvfs_result:
        if folder == self.folder:
            self.looks += 1
            self._works.wait()
        return self._statvfs(folder)


@pytest.fixture
def mount(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mount]:
    mount = Mount(inbox, monkeypatch)
    yield mount
    mount.works()


@pytest.fixture
def asked(inbox: Path, tmp_path: Path) -> Iterator[FlaskClient]:
    """The page of a daemon with that inbox."""
    service = Daemon(Settings(inbox=inbox, state=tmp_path / "state", port=0))
    yield create_app(service, Access(None, frozenset({"localhost"})), contextlib.nullcontext).test_client()
    service.ledger.close()


def read(asked: FlaskClient) -> str:
    """Return the page of the status."""
    return asked.get("/status", headers={"Accept": "text/html"}).text


def test_figures_are_of_now(tmp_path: Path) -> None:
    status = Disk(tmp_path, TIMEOUT).status()
    assert status.error is None
    assert status.usage is not None
    assert status.usage.total == shutil.disk_usage(tmp_path).total
    assert 0 < status.usage.free <= status.usage.total


def test_missing_folder_keeps_its_last_figures_and_gets_an_error(inbox: Path) -> None:
    disk = Disk(inbox, TIMEOUT)
    before = disk.status().usage
    inbox.rmdir()

    status = disk.status()
    assert (status.usage, status.error) == (before, "No such file or directory")
    assert Disk(inbox, TIMEOUT).status().usage is None


def test_hanging_disk_is_asked_once_and_keeps_its_last_figures(mount: Mount) -> None:
    disk = Disk(mount.folder)
    before = disk.status().usage
    mount.hangs()
    for _ in range(VIEWS):
        status = disk.status()
        assert (status.usage, status.error) == (before, "the disk does not answer")
    assert mount.looks == 2

    mount.works()
    eventually(lambda: disk.status().error is None, "the disk's figures are up to date again")


def test_page_does_not_wait_for_hanging_disk(asked: FlaskClient, mount: Mount) -> None:
    mount.hangs()
    pages = [read(asked) for _ in range(VIEWS)]
    for html in pages:
        assert "Disk of the inbox</dt><dd><bdi>unknown</bdi>" in html
        assert "the disk does not answer" in html
        assert "Disk of the ledger" in html

    mount.works()
    eventually(
        lambda: "<dt>Disk</dt>" in read(asked),
        "both folders are known to be on one disk",
    )

    mount.hangs()
    html = read(asked)
    assert "the disk does not answer since <time" in html
    assert html.count(" free</bdi>") == 2
