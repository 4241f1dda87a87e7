"""Debian 13 with its own systemd and Python, and the Debian package installed on it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.deb_package import build
from tests.service.debian_root import UnreachableError, debian_root, why_not
from tests.service.machine import Machine
from tests.service.service import Service

_PACKAGE = "dogid.deb"


@pytest.fixture(scope="session")
def root() -> Path:
    """The root folder of a new Debian 13."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    try:
        return debian_root("trixie")
    except UnreachableError as error:
        pytest.skip(f"Debian's archive cannot be reached from here: {error}")


@pytest.fixture(scope="session")
def package(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for Debian 13, alone in its folder."""
    assert root.is_dir()
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout
    built = build(tmp_path_factory.mktemp("built"), architecture.strip(), "trixie")
    return built.rename(tmp_path_factory.mktemp("package") / _PACKAGE)


@pytest.fixture(scope="session")
def installed(root: Path, package: Path) -> Iterator[Service]:
    """The service, installed by dpkg on a Debian 13 that has been booted."""
    with Machine(package.parent, root) as machine:
        machine.boot()
        machine.run("useradd", "--create-home", "--shell", "/bin/sh", "visitor")
        machine.run("dpkg", "--install", f"/srv/wheels/{_PACKAGE}", environ={"DEBIAN_FRONTEND": "noninteractive"})
        machine.run("usermod", "--append", "--groups", "dogid", "visitor")
        yield Service(machine)
