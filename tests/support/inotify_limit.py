"""Running a program with an inotify limit of its own; the machine's limits stay unchanged."""

import subprocess

import pytest


def with_inotify_limit(what: str, limit: int) -> list[str]:
    """Return a command that runs its arguments in a user namespace with at most limit `watches` or `instances`."""
    script = f'echo {limit} > /proc/sys/user/max_inotify_{what} && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    tried = subprocess.run([*before, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no user namespaces here: {tried.stderr.strip()}")
    return before
