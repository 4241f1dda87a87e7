"""The root folder of another Debian release, for test machines: made once by mmdebstrap, and kept between runs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.service import machine

_PACKAGES = (
    *("systemd-sysv", "libnss-systemd", "dbus", "passwd", "procps", "iproute2", "curl"),  # what a machine has
    *("python3", "libstdc++6", "libgcc-s1"),  # what the package of dogid depends on
)
_OPTIONS = (
    "--variant=essential",
    '--aptopt=Acquire::Check-Valid-Until "false"',  # a mirror may be some days behind, or a clock ahead
    "--dpkgopt=force-unsafe-io",  # a root that a power cut damages is made anew
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale", "man")),
)
_KEPT = 30 * 24 * 3600
"""Seconds. After that a root is made anew, so that the release's updates are tested, too."""
_NOT_FETCHED = "Failed to fetch"
"""What apt says with its reason (403, 404, a proxy, TLS, no route ...) where a mirror does not give a file."""


class UnreachableError(Exception):
    """Debian's archive cannot be reached; the text is what apt says."""


def why_not() -> str | None:
    """Return why no such root can be had or booted here, or None."""
    missing = [tool for tool in ("mmdebstrap", "apt-get", "dpkg-deb") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)} (apt install mmdebstrap)"
    return machine.why_not()


def debian_root(release: str) -> Path:
    """Return the root folder of a release, made now where there is none that is recent. Raise UnreachableError.

    Nothing may be written there: machines lay a disk of their own above it.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dogid-tests"
    cache.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", *_OPTIONS, f"--include={','.join(_PACKAGES)}", release]
    root = cache / f"{release}-{hashlib.sha256(' '.join(command).encode()).hexdigest()[:12]}"
    with _locked(cache / f"{release}.lock"):
        if root.exists() and time.time() - root.stat().st_ctime < _KEPT:
            return root
        for old in cache.glob(f"{release}-*"):  # of other packages, too old, or left half-made
            shutil.rmtree(old)
        unfinished = root.with_suffix(".unfinished")
        made = subprocess.run([*command, str(unfinished), "--verbose"], capture_output=True, text=True, check=False)
        if made.returncode:
            shutil.rmtree(unfinished, ignore_errors=True)
            refused = [line for line in made.stderr.splitlines() if _NOT_FETCHED in line]
            if refused:
                raise UnreachableError("\n".join(refused)[:500])
            raise RuntimeError(f"mmdebstrap: {made.stderr[-2000:]}")
        unfinished.rename(root)
    return root


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Have one process at a time make a root."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
