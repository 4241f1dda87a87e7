"""Fixtures for all tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess

_SHARED = {"installed": "service", "wheels": "service", "browser": "browser"}
"""Fixtures that are expensive to make, and the group whose one process makes them for the whole session."""

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


@pytest.fixture
def patient_daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon that runs on the inbox, and believes no unfinished photo to be broken while a test lasts."""
    return make_daemon("--settle", "600").start()


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have pytest-xdist run in one process what shares an expensive fixture, and else the tests of a file."""
    here = Path(__file__).parent
    for item in items:
        fixtures = item.fixturenames if isinstance(item, pytest.Function) else []
        shared = (group for name, group in _SHARED.items() if name in fixtures)
        item.add_marker(pytest.mark.xdist_group(next(shared, item.path.relative_to(here).as_posix())))
