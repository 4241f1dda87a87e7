"""Machines with a real systemd: an empty one, and one on which dogid has been installed."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.installation import WheelsError, installed_service, shared_wheels
from tests.service.machine import why_not
from tests.service.notify_socket import NotifySocket
from tests.service.service import Service
from tests.support.network import is_offline


@pytest.fixture(scope="session", autouse=True)
def _administrators_tools() -> None:
    """Debian keeps what mounts and boots in /usr/sbin, which is not on every PATH."""
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that pip needs to install the clone without a network; one for all processes of the run."""
    own = tmp_path_factory.getbasetemp()
    try:
        return shared_wheels(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)
    except WheelsError as error:
        if is_offline(str(error)):
            pytest.skip("the package index cannot be reached from here")
        raise


@pytest.fixture(scope="session")
def _machine_can_boot() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def installed(_machine_can_boot: None, wheels: Path) -> Iterator[Service]:
    """The service, installed on a machine of its own by the one command of the README."""
    with installed_service(wheels) as service:
        yield service


@pytest.fixture
def running_service(installed: Service) -> Service:
    """The installed service, running, for tests that leave it as it is."""
    installed.start()
    return installed


@pytest.fixture
def shared_service(installed: Service) -> Iterator[Service]:
    """The installed service, running, for tests with photos of names of their own, which remain for a while."""
    installed.has_leftovers = True
    installed.start()
    yield installed
    installed.reset_settings()


@pytest.fixture
def service(installed: Service, request: pytest.FixtureRequest) -> Iterator[Service]:
    """The installed service as its unit and settings came, running unless marked; what a test changes is undone."""
    if installed.has_leftovers:
        installed.restore()
    if request.node.get_closest_marker("stopped") is None:
        installed.start()
    else:
        installed.stop()
    yield installed
    installed.restore()


@pytest.fixture
def notify_socket() -> Iterator[NotifySocket]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 108 bytes at most
        made = NotifySocket(f"{folder}/notify")
        yield made
        made.close()
