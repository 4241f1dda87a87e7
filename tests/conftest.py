"""Fixtures for all tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import DaemonProcess

_ONE_PROCESS = ("tests/convert/", "tests/service/", "tests/web/browser/")
"""Folders whose tests share what is expensive to make: TensorFlow's graphs and trainings, an installed service, a
browser. None of them takes as long as all other tests together."""

_LONGEST = ("tests/convert/", "tests/service/", "tests/soak/", "tests/chain/", "tests/crash/", "tests/web/browser/")
"""They start first, in this order, so that no process is left alone with one of them at the end."""

MakeDaemon = Callable[..., DaemonProcess]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An empty inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def make_daemon(tmp_path: Path, inbox: Path) -> Iterator[MakeDaemon]:
    """Make daemons with flags; those that still run at the end of the test are ended."""
    with contextlib.ExitStack() as stack:

        def make(*flags: str, state: Path | None = None, **options: object) -> DaemonProcess:
            made = DaemonProcess(inbox, state or tmp_path / "state", *flags, **options)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon that runs on the inbox, with a settle time of a second."""
    return make_daemon("--settle", "1").start()


@pytest.fixture(scope="module")
def shared_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon for the tests of a file that only read, or use files of names of their own; settle time of a second."""
    yield from _shared_daemon(tmp_path_factory.mktemp("shared"), "--settle", "1")


@pytest.fixture(scope="module")
def shared_waiting_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """Like shared_daemon, but no unfinished photo fails while a test lasts."""
    yield from _shared_daemon(tmp_path_factory.mktemp("waiting"), "--settle", "600")


def _shared_daemon(folder: Path, *flags: str) -> Iterator[DaemonProcess]:
    (folder / "inbox").mkdir()
    shared = DaemonProcess(folder / "inbox", folder / "state", *flags)
    try:
        yield shared.start()
    finally:
        shared.close()


@pytest.fixture
def waiting_daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon that runs on the inbox, and believes no unfinished photo to be broken while a test lasts."""
    return make_daemon("--settle", "600").start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, and give those that boot a machine and install on it the time that they take."""
    for item in items:
        if item.nodeid.startswith("tests/service/") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))
    items.sort(key=lambda item: next((at for at, folder in enumerate(_LONGEST) if item.nodeid.startswith(folder)), 99))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Have pytest-xdist run the tests of a file, or of a folder that shares more, in one process, so that they share.

    `--dist loadgroup` would do that by marks, but pytest-xdist 3.8 does not see them with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return next((folder for folder in _ONE_PROCESS if nodeid.startswith(folder)), nodeid.partition("::")[0])

    config.option.loadscopereorder = False  # it would begin with the files of the most tests, not the longest
    return Scheduler(config, log)
