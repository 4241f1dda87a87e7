"""Every dependency has a wheel for each Python and each processor that dogid is for."""

import shutil
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterator
from itertools import product
from typing import TypeAlias

import pytest

from tests.support.daemon import ROOT
from tests.support.network import is_offline

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROCESSORS = ("x86_64", "aarch64")
GLIBC = "manylinux_2_36"
"""Debian 12's; a wheel for a newer one cannot be loaded there."""
WITHOUT = {
    "convert": ("3.14",),  # TensorFlow
    "tflite-runtime": PYTHONS,  # for 32-bit ARM
    **dict.fromkeys(("test", "lint", "mutants", "bench"), PYTHONS),  # programs of contributors, on any Python
}
"""Extras, and the Pythons that they are not for."""
UV = shutil.which("uv", path=sysconfig.get_path("scripts")) or shutil.which("uv")
PATIENCE = 90
"""Seconds for all; an answer takes about three. An index that is slower is as good as none."""

pytestmark = pytest.mark.long  # by `make wheels`: it waits for the package index
Resolution: TypeAlias = "subprocess.Popen[str]"


def extras(python: str) -> list[str]:
    """The extras of pyproject.toml that are for a Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [extra for extra in project["optional-dependencies"] if python not in WITHOUT.get(extra, ())]


def resolve(python: str, processor: str, *wanted: str) -> Resolution:
    """Have uv choose versions that have wheels, by what the package index says; no package is downloaded."""
    assert UV is not None
    target = ["--only-binary", ":all:", "--python-version", python, "--python-platform", f"{processor}-{GLIBC}"]
    command = [UV, "pip", "compile", "--system-certs", "--quiet", "--no-header", "--no-annotate", *target]
    command += [word for extra in wanted for word in ("--extra", extra)]
    return subprocess.Popen(
        [*command, str(ROOT / "pyproject.toml")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def outcome(resolution: Resolution) -> tuple[str, str]:
    """Return the versions that were chosen, and why there are none; skip without a network."""
    try:
        chosen, reason = resolution.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the package index has not answered within {PATIENCE} seconds")
    if is_offline(reason):
        pytest.skip("the package index cannot be reached from here")
    return chosen, reason


@pytest.fixture(scope="module")
def resolutions() -> Iterator[dict[tuple[str, str], Resolution]]:
    """Resolutions for each Python and processor, all at once: they mostly wait for the index."""
    if UV is None:
        pytest.skip("needs uv (pip install uv)")
    started = {(python, cpu): resolve(python, cpu, *extras(python)) for python, cpu in product(PYTHONS, PROCESSORS)}
    yield started
    for resolution in started.values():
        resolution.kill()
        resolution.communicate()


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_dependency_has_a_wheel(
    resolutions: dict[tuple[str, str], Resolution], python: str, processor: str
) -> None:
    chosen, reason = outcome(resolutions[python, processor])

    assert reason == ""
    assert {"ai-edge-litert", "simplejpeg", "pi-heif", "numpy"} <= {line.partition("==")[0] for line in chosen.split()}
