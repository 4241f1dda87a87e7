"""Fixtures for all tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.support.blas  # noqa: F401 - before anything else imports numpy
from dogid.system.garbage_collection import collect_seldom
from tests.support import memory_file_system
from tests.support.daemon import DaemonProcess
from tests.support.run_order import is_for_another, rank

MakeDaemon = Callable[..., DaemonProcess]

collect_seldom()  # else a fifth of the time of TensorFlow's import and of its graphs goes into garbage collection


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """An empty inbox."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """A folder in memory where that can be: what a killed process has written lives on there as on a disk."""
    with memory_file_system.memory_folder() as folder:
        yield folder


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


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave tests to the process of pytest-xdist that collects their group."""
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    if worker is None or not is_for_another(
        collection_path, config.rootpath, worker["workerid"], worker["workercount"]
    ):
        return None
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, and give those that boot a machine and install on it the time that they take."""
    for item in items:
        if item.nodeid.startswith("tests/service/") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(600))
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Have pytest-xdist run tests that share something in one process."""
    from tests.support.scheduler import Scheduler  # which needs pytest-xdist
    from tests.support.second_try import RunRecorder

    scheduler = Scheduler(config, log)
    config.pluginmanager.register(RunRecorder(scheduler))
    return scheduler
