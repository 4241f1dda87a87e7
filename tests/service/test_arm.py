"""Can dogid be installed on ARM, and does it work there?

pip must find a wheel of everything that it needs; in the long form, where qemu can be had, the 64-bit package is run.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.service.deb_package import build
from tests.support.daemon import ROOT
from tests.support.expected_scores import expected_scores
from tests.support.network import is_offline
from tests.support.photos import photo, put

PIWHEELS = "https://www.piwheels.org/simple"
GLIBC_OF_DEBIAN_12 = 36
NO_WHEELS_ON_PYPI = ("numpy", "pillow")
"""For 32-bit ARM these come from piwheels.org, which Raspberry Pi OS has pip ask by itself."""

CPUINFO = """\
processor\t: {number}
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""
"""A core of a Raspberry Pi 4. qemu 7.2 shows the /proc/cpuinfo of the machine around, on which the choice of kernels
for ARM ends in a fault; where the emulated root has such a file, qemu shows that one."""


def requirements(machine: str, extra: str | None = None) -> list[str]:
    """What dogid needs on a processor, without the markers: pip evaluates them for the machine that it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    parts = [text.partition(";") for text in wanted]
    return [name.strip() for name, _, marker in parts if not marker or f"== '{machine}'" in marker]


def download(folder: Path, machine: str, wanted: Sequence[str], *flags: str) -> "subprocess.CompletedProcess[str]":
    """Have pip choose and download wheels for Debian 12's Python on another processor."""
    tags = [f"manylinux2014_{machine}", f"linux_{machine}"]
    tags += [f"manylinux_2_{minor}_{machine}" for minor in range(5, GLIBC_OF_DEBIAN_12 + 1)]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    target = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11", *platforms]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--retries", "1"]
    done = subprocess.run(
        [*pip, "--dest", str(folder), *target, *flags, *wanted], capture_output=True, text=True, check=False
    )
    if is_offline(done.stderr):
        index = flags[-1] if flags and flags[-1].startswith("http") else "the package index"
        pytest.skip(f"{index} cannot be reached from here")
    return done


def names(folder: Path) -> set[str]:
    """The packages of a folder of wheels."""
    return {path.name.partition("-")[0].lower() for path in folder.glob("*.whl")}


def test_64_bit_arm_has_wheels(tmp_path: Path) -> None:
    done = download(tmp_path, "aarch64", requirements("aarch64"))

    assert done.returncode == 0, done.stderr
    assert {"ai_edge_litert", "flask", "numpy", "pillow", "waitress", "watchdog"} <= names(tmp_path)


def test_32_bit_arm_has_pypi_wheels(tmp_path: Path) -> None:
    asked = [text for text in requirements("armv7l", "tflite-runtime") if not text.startswith(NO_WHEELS_ON_PYPI)]
    runtime = [text for text in asked if text.startswith("tflite-runtime")]
    others = [text for text in asked if text not in runtime]

    for done in (
        download(tmp_path, "armv7l", others),
        download(tmp_path, "armv7l", runtime, "--no-deps"),  # all that it needs is numpy
    ):
        assert done.returncode == 0, done.stderr
    assert {"tflite_runtime", "flask", "waitress", "watchdog"} <= names(tmp_path)


def test_32_bit_arm_has_piwheels_wheels(tmp_path: Path) -> None:
    rest = [text for text in requirements("armv7l", "tflite-runtime") if text.startswith(NO_WHEELS_ON_PYPI)]
    done = download(tmp_path, "armv7l", rest, "--extra-index-url", PIWHEELS)

    assert done.returncode == 0, done.stderr
    assert set(NO_WHEELS_ON_PYPI) <= names(tmp_path)


@pytest.fixture(scope="module")
def arm64_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")
    return build(tmp_path_factory.mktemp("arm64"), "arm64")


@pytest.mark.long  # by `make wheels`
def test_arm64_package_is_built(arm64_package: Path) -> None:
    command = ["dpkg-deb", "--contents", str(arm64_package)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert arm64_package.name.endswith("_arm64.deb")
    libraries = {line.split()[-1] for line in listed.splitlines() if line.endswith("linux-gnu.so")}
    assert libraries
    assert all("aarch64" in path for path in libraries)


@pytest.mark.long
def test_arm64_package_works_emulated(
    arm64_package: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    missing = [tool for tool in ("qemu-aarch64-static", "mmdebstrap") if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip("the long form: needs root (apt install qemu-user-static mmdebstrap), downloads 30 MB")
    root = tmp_path / "root"
    needed = "python3,libstdc++6,libgcc-s1"
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract", f"--include={needed}", "bookworm", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no arm64 root can be had: {made.stderr[-300:]}")
    subprocess.run(["dpkg-deb", "--extract", str(arm64_package), str(root)], check=True)
    put(
        root / "proc" / "cpuinfo",
        "\n".join(CPUINFO.format(number=number) for number in range(os.cpu_count() or 1)).encode(),
    )
    venv = root / "opt" / "dogid" / "venv"
    put(tmp_path / "a.jpg", photo(1))

    def dogid(*arguments: str) -> "subprocess.CompletedProcess[str]":
        python = [
            "qemu-aarch64-static",
            "-cpu",
            "cortex-a72",
            "-L",
            str(root),
            str(root / "usr" / "bin" / "python3.11"),
        ]
        model = ["--model", str(venv / "share" / "dogid" / "dogid.tflite")]
        environ = {"PYTHONPATH": str(venv / "lib" / "python3.11" / "site-packages"), "PATH": os.environ["PATH"]}
        command = [*python, "-m", "dogid", *arguments, *model]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    checked = dogid("check", "--port", "0", "--inbox", "inbox", "--state", "state")
    classified = dogid("classify", "--json", "a.jpg")
    expected = expected_scores(photo(1))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "passes its self-test" in checked.stdout
    record_property("check", checked.stdout)
    assert classified.returncode == 0, classified.stderr
    (result,) = json.loads(classified.stdout)["results"]
    # kernels differ between processors, by a step or two of an int8 output
    assert result["score"] == pytest.approx(expected.get(result["label"], 0.0), abs=0.02)
