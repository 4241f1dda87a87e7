"""The steps that take a service of dogid away again."""

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

from dogid.errors import DogidError, UsageError
from dogid.installer.paths import (
    COMMAND,
    CONFIG_DIR,
    PREFIX,
    SYSUSERS,
    UNITS,
    USER,
    Places,
    instances,
    is_debian_package,
    is_ours,
)
from dogid.installer.steps import Step, attempt, command, running


def uninstall_steps(places: Places, *, delete_data: bool) -> list[Step]:
    """Return all that is to be done, in order. Raise UsageError where the service is not ours to remove."""
    if places.instance is None and is_debian_package():
        verb = "purge" if delete_data else "remove"
        raise UsageError(f"dogid is installed as a Debian package; remove it by: sudo apt {verb} dogid")
    others = [] if places.instance else instances()
    if others:
        raise UsageError(
            f"dogid@{others[0]}.service still needs the program: sudo dogid service uninstall --instance {others[0]}"
        )
    unit = places.unit
    stop = Step(f"stop {unit} for good", running("systemctl", "disable", "--now", "--quiet", unit), _is_gone(unit))
    steps = [stop, _removal(places.tmpfiles)]
    if places.instance is None:
        steps += [_removal(path) for path in (UNITS / "dogid.service", UNITS / "dogid@.service", PREFIX, SYSUSERS)]
        steps += [_removal(COMMAND)] if is_ours(COMMAND) else []
    if delete_data:
        steps += [_removal(places.drop_ins), _removal(places.state), _removal(places.config)]
        steps += _last_steps() if places.instance is None else []
    return [*steps, Step(f"have systemd forget {unit}", lambda: _forget(unit))]


def kept(places: Places) -> list[Path]:
    """What is there to be deleted together with the data."""
    return [path for path in (places.state, places.config, places.drop_ins) if path.exists()]


def _last_steps() -> list[Step]:
    """What all services share goes with the last one's data: an instance's may have been kept."""
    data = [*Path("/var/lib").glob("dogid-*/ledger.db"), *Path("/var/lib").glob("dogid-*/inbox")]
    if data:
        return []
    user = Step(f"remove the user {USER}", running("userdel", USER), _has_no_user)
    return [_removal(UNITS / "dogid@.service.d"), _removal(CONFIG_DIR), user]


def _forget(unit: str) -> None:
    command("systemctl", "daemon-reload")
    attempt("systemctl", "reset-failed", unit)


def _is_gone(unit: str) -> Callable[[], bool]:
    template = UNITS / ("dogid@.service" if "@" in unit else unit)
    return lambda: not template.exists()


def _removal(path: Path) -> Step:
    def do() -> None:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise DogidError(f"{path}: cannot be removed: {error.strerror}") from error

    return Step(f"remove {path}", do, lambda: not os.path.lexists(path))


def _has_no_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return True
    return False
