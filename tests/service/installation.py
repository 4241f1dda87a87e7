"""Installing dogid as a service on a test machine, by the one command of the README."""

import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.service.machine import Machine
from tests.service.service import LEFT_BEHIND, Service
from tests.support.daemon import ROOT

SYSTEM_PYTHON = "/usr/bin/python3"


class WheelsError(Exception):
    """The packages could not be made; the text is what pip says."""


def build_wheels(folder: Path) -> Path:
    """Put all that pip needs to install the clone without a network into folder; return it. Raise WheelsError."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", SYSTEM_PYTHON]
    made = subprocess.run(
        [*pip, "wheel", "--quiet", "--wheel-dir", folder, ROOT, "hatchling>=1.27"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise WheelsError(made.stderr)
    return folder


def shared_wheels(folder: Path) -> Path:
    """Return a folder of wheels within folder; the first process to ask makes them. Raise WheelsError."""
    shared, unfinished = folder / "wheels", folder / "wheels.unfinished"
    with (folder / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            build_wheels(unfinished).rename(shared)
    return shared


@contextlib.contextmanager
def installed_service(wheels: Path) -> Iterator[Service]:
    """A machine of its own on which the service has been installed, for as long as the context lasts."""
    with Machine(wheels) as machine:
        machine.boot()
        machine.run("useradd", "--create-home", "--shell", "/bin/sh", "visitor")
        service = Service(machine)
        service.dry_log = service.dogid("service", "install", "--user", "visitor", "--dry-run").stdout
        service.made_by_dry_run = [path for path in LEFT_BEHIND if machine.has(path)]
        service.install_log = service.dogid("service", "install", "--user", "visitor").stdout
        service.start()
        yield service
