"""The container image: made without a container engine, and run read-only with little memory."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid import __version__
from tests.support.daemon import ROOT
from tests.support.expected_scores import expected_scores
from tests.support.photos import photo, put, put_all
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

MEMORY = 256 << 20
USER = 10001
_TOOLS = ("mmdebstrap", "umoci", "runc", "nsenter")
_NAME = "dogid-test"
# crun wants cgroups of one version, and podman limits that this machine may not allow; the commands stay as they are
_CONTAINERS_CONF = b"""[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Podman:
    """Commands as the page has them, typed in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def type(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Have a shell run a line, in a network of its own that has nothing but localhost."""
        line = ["unshare", "--net", "sh", "-c", f"ip link set lo up && {command}"]
        return subprocess.run(line, cwd=self.folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def image(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's file, as `make image` makes it."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt install umoci runc)")
    folder = tmp_path_factory.mktemp("dist")
    environ = {**os.environ, "PACKAGE": str(package), "PYTHON": sys.executable}
    made = subprocess.run(
        [ROOT / "systemd" / "image" / "build.sh", folder], env=environ, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def container(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a container that runs, with a photo in its inbox."""
    folder = tmp_path_factory.mktemp("image")
    bundle, layout = folder / "bundle", folder / "layout"
    layout.mkdir()
    subprocess.run(["tar", "-xf", image, "-C", layout], check=True)
    name = f"{layout}:localhost/dogid:{__version__}"
    subprocess.run(["umoci", "unpack", "--image", name, bundle], check=True, capture_output=True)
    put(folder / "inbox" / "visit.jpg", photo(1))
    (folder / "state").mkdir()
    os.chown(folder / "state", USER, USER)
    write_settings(bundle / "config.json", folder)
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(["runc", "run", "--bundle", bundle, _NAME], stdout=log, stderr=log)
        try:
            yield _NAME
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(["runc", "kill", _NAME, "TERM"], check=False)
                running.wait(30)
            subprocess.run(["runc", "delete", "--force", _NAME], check=False, capture_output=True)


def write_settings(path: Path, folder: Path) -> None:
    """Have a container be read-only, with little memory and the folders of the test."""
    settings = json.loads(path.read_text())
    settings["process"]["terminal"] = False
    settings["root"]["readonly"] = True
    settings["linux"]["resources"]["memory"] = {"limit": MEMORY}
    volume = "/var/lib/dogid"
    settings["mounts"] = [mount for mount in settings["mounts"] if mount["destination"] != volume]
    for source, target, mode in (("state", volume, "rw"), ("inbox", f"{volume}/inbox", "ro")):
        options = ["rbind", mode]
        settings["mounts"].append(
            {"destination": target, "type": "bind", "source": str(folder / source), "options": options}
        )
    path.write_text(json.dumps(settings))


def inside(container: str, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["runc", "exec", container, *command], capture_output=True, text=True, check=False)


def results(container: str) -> list[dict[str, object]]:
    """What GET /results answers, asked from the container's own network."""
    state = subprocess.run(["runc", "state", container], capture_output=True, text=True, check=False)
    return [] if state.returncode else results_of_process(str(json.loads(state.stdout)["pid"]))


def results_of_process(pid: str) -> list[dict[str, object]]:
    """The same in the network of a process."""
    network = ["nsenter", "-t", pid, "--net"]
    command = ["curl", "-s", "--noproxy", "*", "http://127.0.0.1:8000/results?status=classified"]
    asked = subprocess.run([*network, *command], capture_output=True, text=True, check=False)
    found: list[dict[str, object]] = json.loads(asked.stdout)["results"] if asked.stdout else []
    return found


def test_photo_is_classified_in_container(container: str) -> None:
    (result,) = eventually(lambda: results(container), "the photo is classified")

    assert result["file"] == "visit.jpg"
    assert result["scores"] == pytest.approx(expected_scores(photo(1)), abs=1e-6)
    assert "visit.jpg" in inside(container, "dogid", "results").stdout


def test_container_is_read_only_without_root(container: str) -> None:
    eventually(lambda: results(container), "it answers")
    tries = "import os, pathlib; print(os.getuid()); pathlib.Path('/etc/new').write_text('')"
    tried = inside(container, "python3", "-c", tries)

    assert tried.stdout == f"{USER}\n"
    assert "Read-only file system" in tried.stderr or "Permission denied" in tried.stderr


def test_memory_of_container_is_its_limit(container: str) -> None:
    eventually(lambda: results(container), "it answers")
    asked = inside(
        container, "/opt/dogid/venv/bin/python3", "-c", "from dogid.system.memory import *; print(memory_limit())"
    )

    assert asked.stdout == f"{MEMORY}\n", asked.stderr


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Podman]:
    """Podman with images, containers and settings of its own, in a network of its own."""
    if shutil.which("podman") is None:
        pytest.skip("needs podman (apt install podman)")
    storage = f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    files = put_all(tmp_path, {"containers.conf": _CONTAINERS_CONF, "storage.conf": storage.encode()})
    for name, value in {
        "CONTAINERS_CONF": str(files / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(files / "storage.conf"),
        "HOME": str(tmp_path / "home"),
    }.items():
        monkeypatch.setenv(name, value)
    podman = Podman(tmp_path)
    yield podman
    podman.type("podman rm --force --time 5 dogid")
    podman.type("podman rmi --all --force && podman volume rm --all --force")


def test_commands_of_the_page_run_by_podman(image: Path, podman: Podman) -> None:
    put(podman.folder / "home" / "Pictures" / "visit.jpg", photo(1))
    (podman.folder / "dist").mkdir()
    (podman.folder / "dist" / image.name).symlink_to(image)
    page = (ROOT / "systemd" / "README.md").read_text()
    (text,) = re.findall(r"## In a container\n.*?```sh\n(.*?)```", page, re.DOTALL)
    load, run, ask = text.replace("\\\n", "").splitlines()

    for command in (load, run):
        done = podman.type(command)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    eventually(lambda: "visit.jpg" in podman.type(ask).stdout, "the photo is classified")

    (result,) = results_of_process(podman.type("podman inspect --format '{{.State.Pid}}' dogid").stdout.strip())
    assert result["scores"] == pytest.approx(expected_scores(photo(1)), abs=1e-6)
    limit = podman.type(
        'podman exec dogid /opt/dogid/venv/bin/python3 -c "from dogid.system.memory import *; print(memory_limit())"'
    )
    assert limit.stdout == f"{MEMORY}\n", limit.stderr
