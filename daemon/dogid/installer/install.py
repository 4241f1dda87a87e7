"""The steps of `dogid service install`."""

import argparse
import grp
import os
import pwd
import subprocess
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
    ServicePaths,
    install_source,
    is_debian_package,
    is_our_command,
    packaged_text,
    running_instances,
)
from dogid.installer.steps import Step, program, run_program, try_program, write_step
from dogid.settings_example import make_example

_FIRST_PORT = 8000
_TMPFILES = "tmpfiles.conf"

_WRAPPER = f"""#!/bin/sh
# dogid with the service's settings, unless DOGID_CONFIG names others.
export DOGID_CONFIG="${{DOGID_CONFIG-{CONFIG_DIR}/dogid.toml}}"
exec {VENV}/bin/dogid "$@"
"""


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """Checked options of an installation."""

    paths: ServicePaths
    source: str
    """The argument of `pip install`."""
    python: str
    """The interpreter of the virtual environment."""
    inbox_user: str | None
    """The user who is allowed to copy photos into the inbox."""


def check_options(instance: str | None, source: str | None, python: str, user: str | None) -> InstallOptions:
    """Return checked options. Raise UsageError where the service cannot be installed with them on this machine."""
    if not Path("/run/systemd/system").is_dir():
        raise UsageError("this machine does not run systemd; start `dogid run` by other means")
    paths = ServicePaths(instance)
    if instance is None and is_debian_package():
        raise UsageError(
            "dogid is installed as a Debian package already; to upgrade it: sudo apt install ./dogid_*.deb"
        )
    if instance is None:
        _check_python(python)
        if os.path.lexists(COMMAND) and not is_our_command(COMMAND):
            raise UsageError(f"{COMMAND}: belongs to another program; first: sudo mv {COMMAND} {COMMAND}.old")
    elif not (VENV / "bin" / "dogid").exists():
        raise UsageError("install the service itself first: sudo dogid service install")
    inbox_user = user or os.environ.get("SUDO_USER")
    if inbox_user in (None, "", "root"):
        return InstallOptions(paths, source or install_source(), python, None)
    try:
        pwd.getpwnam(str(inbox_user))
    except KeyError as error:
        raise UsageError(f"--user {inbox_user}: there is no such user") from error
    return InstallOptions(paths, source or install_source(), python, inbox_user)


def install_steps(chosen: InstallOptions) -> list[Step]:
    """Return the steps of the installation, in order. Raise UsageError where other instances' settings are invalid."""
    steps = [*_program_steps(chosen)] if chosen.paths.instance is None else []
    return [*steps, *_folder_steps(chosen.paths), *_group_steps(chosen.inbox_user), *_start_steps(chosen.paths)]


def _check_python(python: str) -> None:
    code = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise UsageError(f"{python}: cannot be run: {error.strerror}; try: sudo apt install python3") from error
    if "No module named" in done.stderr:
        raise UsageError(f"{python}: its venv module is missing; try: sudo apt install python3-venv")
    if done.returncode:
        raise UsageError(f"{python}: is older than Python 3.11; give a newer one by --python")


def _program_steps(chosen: InstallOptions) -> list[Step]:
    python = str(VENV / "bin" / "python")
    # one retry: pip's five take a minute where there is no network
    options = ("--disable-pip-version-check", "--quiet", "--upgrade", "--retries", "1")
    pip = (python, "-m", "pip", "install", *options, chosen.source)
    venv = program(chosen.python, "-m", "venv", "--clear", str(VENV))
    return [
        write_step(SYSUSERS, packaged_text("sysusers.conf")),
        Step(f"create the user {USER}", program("systemd-sysusers", str(SYSUSERS)), _has_user),
        Step(f"create the virtual environment {VENV}", venv, lambda: _is_venv_of(chosen.python)),
        Step(f"install {chosen.source} into it", lambda: _install_program(pip)),
        write_step(UNITS / "dogid.service", packaged_text("dogid.service")),
        write_step(UNITS / "dogid@.service", packaged_text("dogid@.service")),
        write_step(COMMAND, _WRAPPER, 0o755),
    ]


def _install_program(pip: tuple[str, ...]) -> None:
    try:
        run_program(*pip)
    except DogidError as error:
        raise DogidError(
            f"{error}\npip downloads dogid and what it needs (about 60 MB) into {VENV}: is this machine online?"
            " Where it is not, install the Debian package, which contains all: make deb, on a machine that is online"
        ) from error


def _folder_steps(paths: ServicePaths) -> list[Step]:
    chosen: dict[str, object] = {"inbox": paths.inbox, "state": paths.state}
    if paths.instance is not None:
        chosen["port"] = _free_port(paths.config)
    text = packaged_text(_TMPFILES).replace("/var/lib/dogid", str(paths.state))
    return [
        write_step(paths.tmpfiles, text),
        Step(f"create {paths.inbox}", program("systemd-tmpfiles", "--create", str(paths.tmpfiles))),
        write_step(paths.config, make_example(chosen), replace=False),
    ]


def _group_steps(user: str | None) -> list[Step]:
    if user is None:
        return []
    description = f"let {user} copy photos in (group {USER}; takes effect at the next login)"
    return [Step(description, program("usermod", "--append", "--groups", USER, user), lambda: _is_member(user))]


def _start_steps(paths: ServicePaths) -> list[Step]:
    steps = [
        Step("reload the units of systemd", program("systemctl", "daemon-reload")),
        Step(f"start {paths.unit} at every boot", program("systemctl", "enable", "--quiet", paths.unit)),
        _start_step(paths.unit),
    ]
    # an instance that runs has loaded only a part of the former program
    return steps + [_start_step(unit) for unit in (running_instances() if paths.instance is None else [])]


def _start_step(unit: str) -> Step:
    def start() -> None:
        try_program("systemctl", "reset-failed", unit)  # else the start limit may prevent the restart
        try:
            run_program("systemctl", "restart", unit)
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
    """Return whether there is a virtual environment with pip, of this Python's version: a system upgrade changes it."""
    ours = VENV / "bin" / "python"
    if not ours.exists():
        return False
    version = "import sys; print(sys.version_info[:2])"
    has_pip = bool(_output_of(str(ours), f"import pip; {version}"))
    return has_pip and _output_of(str(ours), version) == _output_of(python, version)


def _output_of(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=False).stdout  # noqa: S603


def _free_port(own: Path) -> int:
    """Return the first port above the main service's default that no other instance's settings contain."""
    taken = {_FIRST_PORT}
    for path in CONFIG_DIR.glob("*.toml"):
        if path != own:
            taken.add(settings.load(argparse.Namespace(config=path), environ={}).port)
    return next(port for port in range(_FIRST_PORT + 1, 65536) if port not in taken)
