"""The page tells how much room there is, and is there at once though a disk hangs."""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from dogid.daemon.daemon import Daemon
from dogid.settings import Settings
from dogid.web.app import create_app
from dogid.web.auth.access import Access
from dogid.web.pages import disk_usage
from dogid.web.pages.disk_usage import Disk
from tests.support.waiting import eventually

VIEWS = 12  # more than the server has threads


class Mount:
    """A folder whose disk can be made to hang, as that of a server that is gone does."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.looks = 0
        self._works = threading.Event()
        self._works.set()
        self._look = disk_usage._room
        monkeypatch.setattr(disk_usage, "_room", self._room)

    def hangs(self) -> None:
        self._works.clear()

    def works(self) -> None:
        self._works.set()

    def _room(self, folder: Path) -> disk_usage.Room:
        if folder == self.folder:
            self.looks += 1
            self._works.wait()
        return self._look(folder)


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


def test_figures_are_of_now(tmp_path: Path) -> None:
    told = Disk(tmp_path).told()
    assert told.trouble is None
    assert told.room is not None
    assert told.room.total == shutil.disk_usage(tmp_path).total
    assert 0 < told.room.free <= told.room.total


def test_a_folder_that_is_gone_is_told_with_the_last_figures(inbox: Path) -> None:
    disk = Disk(inbox)
    before = disk.told().room
    inbox.rmdir()

    told = disk.told()
    assert (told.room, told.trouble) == (before, "No such file or directory")
    assert Disk(inbox).told().room is None


def test_a_disk_that_hangs_is_asked_once_and_told_of_with_its_last_figures(mount: Mount) -> None:
    disk = Disk(mount.folder)
    before = disk.told().room
    mount.hangs()
    for _ in range(VIEWS):
        told = disk.told()
        assert (told.room, told.trouble) == (before, "the disk does not answer")
    assert mount.looks == 2

    mount.works()
    eventually(lambda: disk.told().trouble is None, "the disk's figures are of now again")


def test_views_of_the_page_do_not_wait_for_a_disk_that_hangs(asked: FlaskClient, mount: Mount) -> None:
    mount.hangs()
    began = time.monotonic()
    pages = [asked.get("/").text for _ in range(VIEWS)]
    assert time.monotonic() - began < 0.5 * VIEWS
    for html in pages:
        assert "Disk of the inbox</dt><dd><bdi>unknown</bdi>" in html
        assert "the disk does not answer" in html
        assert "Disk of the ledger" in html

    mount.works()
    eventually(lambda: "<dt>Disk</dt>" in asked.get("/").text, "both folders are known to be on one disk")

    mount.hangs()
    html = asked.get("/").text
    assert "the disk does not answer since <time" in html
    assert html.count(" free</bdi>") == 2
