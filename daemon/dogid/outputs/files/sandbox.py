"""What the service's sandbox (ProtectSystem=strict, ProtectHome, PrivateTmp) keeps outputs from, and what allows it."""

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dogid.file_names import quote_for_unit

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  # nothing is written there
_SECONDS = 10.0
"""For systemd to answer; it takes some milliseconds."""


def allow_writing(folder: Path, unit: str) -> str:
    """Return how the service is allowed to write in a folder, by the lines of a drop-in.

    With `-`, the service starts also while the folder is missing.
    """
    return (
        f"the service may write in its state folder only; allow it, then restart it: sudo systemctl edit {unit}, with"
        f" [Service] and ReadWritePaths={quote_for_unit(f'-{folder}')}"
    )


def is_hidden(folder: Path) -> bool:
    """Return whether the service cannot see a folder: it is in a home folder, or in a folder for temporary files."""
    return any(folder.is_relative_to(hidden) for hidden in (*_HOMES, *_TEMPORARY))


def show_elsewhere(folder: Path, unit: str) -> str:
    """Return how the service can write in a folder that is hidden from it, by the lines of a drop-in."""
    if any(folder.is_relative_to(hidden) for hidden in _TEMPORARY):
        return "the service has folders of its own for temporary files: name a folder elsewhere, such as one in /srv"
    there = Path("/srv") / folder.name
    return (
        f"home folders are hidden from the service: name {there} instead, show the folder there, then restart it:"
        f" sudo systemctl edit {unit}, with [Service] and BindPaths={quote_for_unit(folder)}:{quote_for_unit(there)}"
    )


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a unit may write, for a command that runs outside of it."""

    unit: str
    writable: frozenset[str]
    """`ReadWritePaths=`, without the signs before the paths."""
    bound: str
    """`BindPaths=`, as `systemctl show` prints it: SOURCE:DESTINATION:OPTIONS."""

    def has_own(self, folder: Path) -> bool:
        """Return whether the service sees another folder at a path than others do."""
        return any(f":{path}:" in self.bound for path in (folder, *folder.parents[:-1]))

    def find_forbidding(self, folder: Path) -> str | None:
        """Return why the service may not write in a folder, and how to allow it; None where it may."""
        if self.has_own(folder):
            return None
        if is_hidden(folder):
            return show_elsewhere(folder, self.unit)
        listed = any(str(path) in self.writable for path in (folder, *folder.parents))
        return None if listed else allow_writing(folder, self.unit)


def read_sandbox(unit: str) -> Sandbox | None:
    """Return the sandbox of a unit; None where it has none of this kind, or systemd does not answer."""
    command = ["systemctl", "show", "--property=ProtectSystem,ReadWritePaths,BindPaths", "--", unit]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    shown = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    if shown.get("ProtectSystem") != "strict":
        return None
    return Sandbox(unit, _split_paths(shown.get("ReadWritePaths", "")), shown.get("BindPaths", ""))


def _split_paths(shown: str) -> frozenset[str]:
    """Given a list as `systemctl show` prints it, quoted as for a shell, return the paths."""
    try:
        paths = shlex.split(shown)
    except ValueError:
        paths = shown.split()
    return frozenset(path.lstrip("-+") for path in paths)
