"""Machines with a real systemd: an empty one, and one on which dogid has been installed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.machine import Machine, why_not
from tests.service.notify_socket import NotifySocket
from tests.service.service import LEFT_BEHIND, Service
from tests.support.daemon import ROOT
from tests.support.network import is_offline

SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="session", autouse=True)
def _administrators_tools() -> None:
    """Debian keeps what mounts and boots in /usr/sbin, which is not on every PATH."""
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that pip needs to install the clone on a machine without a network."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", SYSTEM_PYTHON]
    made = subprocess.run(
        [*pip, "wheel", "--quiet", "--wheel-dir", folder, ROOT, "hatchling>=1.27"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode and is_offline(made.stderr):
        pytest.skip("the package index cannot be reached from here")
    assert made.returncode == 0, made.stderr[-2000:]
    return folder


@pytest.fixture(scope="session")
def installed(wheels: Path) -> Iterator[Service]:
    """The service, installed on a machine of its own by the one command of the README."""
    with Machine(wheels) as machine:
        machine.boot()
        machine.run("useradd", "--create-home", "--shell", "/bin/sh", "visitor")
        service = Service(machine)
        service.dry_log = service.dogid("service", "install", "--user", "visitor", "--dry-run").stdout
        service.made_by_dry_run = [path for path in LEFT_BEHIND if machine.has(path)]
        service.install_log = service.dogid("service", "install", "--user", "visitor").stdout
        yield service


@pytest.fixture
def service(installed: Service) -> Iterator[Service]:
    """The installed service, running, as its unit and settings came; what a test changes is undone."""
    installed.start()
    yield installed
    installed.restore()


@pytest.fixture
def notify_socket() -> Iterator[NotifySocket]:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 108 bytes at most
        made = NotifySocket(f"{folder}/notify")
        yield made
        made.close()
