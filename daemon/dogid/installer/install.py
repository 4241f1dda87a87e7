"""The steps that make a service of dogid."""

import grp
import os
import pwd
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from dogid import settings
from dogid.errors import DogidError, UsageError
from dogid.installer.paths import (
    COMMAND,
    CONFIG_DIR,
    SYSUSERS,
    UNITS,
    USER,
    VENV,
    Places,
    is_debian_package,
    is_ours,
    packaged,
    units_in_use,
    what_to_install,
)
from dogid.installer.steps import Step, attempt, command, file_step, running

_FIRST_PORT = 8000
_TMPFILES = "tmpfiles.conf"

_WRAPPER = f"""#!/bin/sh
# dogid with the service's settings, unless others are named.
export DOGID_CONFIG="${{DOGID_CONFIG-{CONFIG_DIR}/dogid.toml}}"
exec {VENV}/bin/dogid "$@"
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the person who installs has chosen."""

    places: Places
    source: str
    """What pip installs."""
    python: str
    photographer: str | None
    """Who may copy photos in from now on."""


def options(instance: str | None, source: str | None, python: str, user: str | None) -> Options:
    """Return checked options. Raise UsageError where this machine cannot have the service."""
    if not Path("/run/systemd/system").is_dir():
        raise UsageError("this machine was not started by systemd; run `dogid run` yourself instead")
    places = Places(instance)
    if instance is None and is_debian_package():
        raise UsageError(
            "dogid is installed as a Debian package already; to upgrade it: sudo apt install ./dogid_*.deb"
        )
    if instance is None:
        _check_python(python)
        if os.path.lexists(COMMAND) and not is_ours(COMMAND):
            raise UsageError(f"{COMMAND}: is another program's; first: sudo mv {COMMAND} {COMMAND}.old")
    elif not (VENV / "bin" / "dogid").exists():
        raise UsageError("install the service itself first: sudo dogid service install")
    photographer = user or os.environ.get("SUDO_USER")
    if photographer in (None, "", "root"):
        return Options(places, source or what_to_install(), python, None)
    try:
        pwd.getpwnam(str(photographer))
    except KeyError as error:
        raise UsageError(f"--user {photographer}: there is no such user") from error
    return Options(places, source or what_to_install(), python, photographer)


def install_steps(chosen: Options) -> list[Step]:
    """Return all that is to be done, in order."""
    steps = [*_program_steps(chosen)] if chosen.places.instance is None else []
    return [*steps, *_folder_steps(chosen.places), *_group_steps(chosen.photographer), *_start_steps(chosen.places)]


def _check_python(python: str) -> None:
    code = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise UsageError(f"{python}: cannot be run: {error.strerror}; try: sudo apt install python3") from error
    if "No module named" in done.stderr:
        raise UsageError(f"{python}: its venv module is missing; try: sudo apt install python3-venv")
    if done.returncode:
        raise UsageError(f"{python}: is older than Python 3.11; name a newer one by --python")


def _program_steps(chosen: Options) -> list[Step]:
    python = str(VENV / "bin" / "python")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--upgrade", chosen.source)
    venv = running(chosen.python, "-m", "venv", "--clear", str(VENV))
    return [
        file_step(SYSUSERS, packaged("sysusers.conf")),
        Step(f"make the user {USER}", running("systemd-sysusers", str(SYSUSERS)), _has_user),
        Step(f"make the virtual environment {VENV}", venv, lambda: _is_venv_of(chosen.python)),
        Step(f"install {chosen.source} into it", running(*pip)),
        file_step(UNITS / "dogid.service", packaged("dogid.service")),
        file_step(UNITS / "dogid@.service", packaged("dogid@.service")),
        file_step(COMMAND, _WRAPPER, 0o755),
    ]


def _folder_steps(places: Places) -> list[Step]:
    chosen: dict[str, object] = {"inbox": places.inbox, "state": places.state}
    if places.instance is not None:
        chosen["port"] = _free_port(places.config)
    text = packaged(_TMPFILES).replace("/var/lib/dogid", str(places.state))
    return [
        file_step(places.tmpfiles, text),
        Step(f"make {places.inbox}", running("systemd-tmpfiles", "--create", str(places.tmpfiles))),
        file_step(places.config, settings.example(chosen), replace=False),
    ]


def _group_steps(user: str | None) -> list[Step]:
    if user is None:
        return []
    what = f"let {user} copy photos in (group {USER}; it counts from the next login)"
    return [Step(what, running("usermod", "--append", "--groups", USER, user), lambda: _is_member(user))]


def _start_steps(places: Places) -> list[Step]:
    steps = [
        Step("have systemd read its units", running("systemctl", "daemon-reload")),
        Step(f"start {places.unit} at every boot", running("systemctl", "enable", "--quiet", places.unit)),
        _start_step(places.unit),
    ]
    # what runs by the same program must not go on with the half of it that it has loaded
    return steps + [_start_step(unit) for unit in (units_in_use() if places.instance is None else [])]


def _start_step(unit: str) -> Step:
    def start() -> None:
        attempt("systemctl", "reset-failed", unit)  # or the limit of its restarts would hold against it
        try:
            command("systemctl", "restart", unit)
        except DogidError as error:
            raise DogidError(f"{unit} does not start; see: journalctl -u {unit} -p err") from error

    return Step(f"start {unit}", start)


def _has_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def _is_member(user: str) -> bool:
    try:
        return user in grp.getgrnam(USER).gr_mem
    except KeyError:
        return False


def _is_venv_of(python: str) -> bool:
    """Whether the virtual environment is there, whole, and of this Python's version: an upgraded system has another."""
    ours = VENV / "bin" / "python"
    if not ours.exists():
        return False
    version = "import sys; print(sys.version_info[:2])"
    return bool(_says(str(ours), f"import pip; {version}")) and _says(str(ours), version) == _says(python, version)


def _says(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout  # noqa: S603


def _free_port(own: Path) -> int:
    """The first port above the service's own that no other instance's settings name."""
    taken = {_FIRST_PORT}
    for path in CONFIG_DIR.glob("*.toml"):
        if path != own:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            taken.add(int(table.get("port", _FIRST_PORT)))
    return next(port for port in range(_FIRST_PORT + 1, 65536) if port not in taken)
