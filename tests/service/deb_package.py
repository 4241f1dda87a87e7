"""The Debian package, built from the clone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import ROOT
from tests.support.network import is_offline

BUILD = ROOT / "systemd" / "deb" / "build.sh"


def build(folder: Path, architecture: str, release: str = "", wheels: Path | None = None) -> Path:
    """Build the package by `make deb`, without compression; skip where its parts cannot be had.

    Without a release, it is built for this machine's. wheels: a folder that pip takes all from; else the index.
    """
    if shutil.which("make") is None:
        pytest.skip("needs make")
    run = folder / "run"  # an environment of this Python in the place of the one that `make run` makes
    (run / "bin").mkdir(parents=True)
    (run / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (run / "bin" / "python").chmod(0o755)
    (run / ".installed").touch()
    chosen = [f"RUN={run}", f"PACKAGES={folder}", f"ARCH={architecture}", f"DIST={release}"]
    command = ["make", "--silent", "-C", str(ROOT), "deb", *chosen]
    environ = {**os.environ, "DEB_COMPRESS": "none"}
    if wheels is not None:
        environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if is_offline(done.stderr):
        pytest.skip("the package index cannot be reached from here")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])
