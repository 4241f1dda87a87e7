"""The daemon's own tests, on Debian 13 with its own Python."""

import platform
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.service.service import Service
from tests.support.daemon import ROOT

pytestmark = pytest.mark.long

FOLDERS = ("tests/daemon", "tests/inbox", "tests/ledger", "tests/web", "--ignore=tests/web/browser")
_UV = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")


@pytest.fixture(scope="module")
def dependencies(package: Path) -> str:
    """Where the machine sees what the tests need."""
    if _UV is None:
        pytest.skip("needs uv (pip install uv)")
    target = ["--python-version", "3.13", "--python-platform", f"{platform.machine()}-manylinux_2_40"]
    source = ["--only-binary", ":all:", "--requirements", str(ROOT / "pyproject.toml"), "--extra", "daemon-test"]
    folder = package.parent / "dependencies"
    subprocess.run(
        [_UV, "pip", "install", "--system-certs", "--quiet", "--target", str(folder), *target, *source], check=True
    )
    return f"/srv/wheels/{folder.name}"


@pytest.mark.timeout(3600)
def test_own_tests_pass_on_its_python(installed: Service, dependencies: str) -> None:
    environ = {
        "PYTHONPATH": f"{ROOT / 'daemon'}:{ROOT / 'convert'}:{dependencies}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
    }
    options = ["-n", "2", "-q", "-o", "cache_dir=/tmp/pytest-cache", "--rootdir", str(ROOT), "--config-file"]
    command = ["python3", "-m", "pytest", *options, str(ROOT / "pyproject.toml"), *FOLDERS]
    installed.machine.run("systemctl", "stop", "dogid")
    try:
        typed = ["sh", "-c", 'cd "$0" && exec "$@"', str(ROOT), *command]
        done = installed.machine.run(*typed, environ=environ, check=False)
    finally:
        installed.machine.run("systemctl", "start", "dogid")  # other tests share the machine

    print(done.stdout[-3000:])  # noqa: T201
    assert done.returncode == 0, done.stdout + done.stderr
