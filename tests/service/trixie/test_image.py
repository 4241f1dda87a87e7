"""The container image: made without a container engine, and run read-only with little memory."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid import __version__
from tests.support.daemon import ROOT
from tests.support.expected_scores import expected_scores
from tests.support.photos import photo, put
from tests.support.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

MEMORY = 256 << 20
USER = 10001
_TOOLS = ("mmdebstrap", "umoci", "runc", "nsenter")
_NAME = "dogid-test"


@pytest.fixture(scope="module")
def container(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a container that runs, with a photo in its inbox."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt install umoci runc)")
    folder = tmp_path_factory.mktemp("image")
    environ = {**os.environ, "PACKAGE": str(package), "PYTHON": sys.executable}
    made = subprocess.run(
        [ROOT / "systemd" / "image" / "build.sh", folder], env=environ, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    archive = Path(made.stdout.splitlines()[-1])
    bundle, layout = folder / "bundle", folder / "layout"
    layout.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", layout], check=True)
    image = f"{layout}:localhost/dogid:{__version__}"
    subprocess.run(["umoci", "unpack", "--image", image, bundle], check=True, capture_output=True)
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
    if state.returncode:
        return []
    network = ["nsenter", "-t", str(json.loads(state.stdout)["pid"]), "--net"]
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
