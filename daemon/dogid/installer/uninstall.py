"""The steps of `dogid service uninstall`."""

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
    ServicePaths,
    is_debian_package,
    is_our_command,
    list_instances,
)
from dogid.installer.steps import Step, program, run_program, try_program


def uninstall_steps(paths: ServicePaths, *, delete_data: bool) -> list[Step]:
    """Return the steps of the removal, in order.

    Raise UsageError where the Debian package installed the service, or where other instances need the program.
    """
    if paths.instance is None and is_debian_package():
        verb = "purge" if delete_data else "remove"
        raise UsageError(f"dogid is installed as a Debian package; remove it by: sudo apt {verb} dogid")
    others = [] if paths.instance else list_instances()
    if others:
        raise UsageError(
            f"dogid@{others[0]}.service still needs the program: sudo dogid service uninstall --instance {others[0]}"
        )
    unit = paths.unit
    stop = Step(f"stop and disable {unit}", program("systemctl", "disable", "--now", "--quiet", unit), _is_gone(unit))
    steps = [stop, _removal(paths.tmpfiles)]
    if paths.instance is None:
        steps += [_removal(path) for path in (UNITS / "dogid.service", UNITS / "dogid@.service", PREFIX, SYSUSERS)]
        steps += [_removal(COMMAND)] if is_our_command(COMMAND) else []
    if delete_data:
        steps += [_removal(paths.drop_ins), _removal(paths.state), _removal(paths.config)]
        steps += _shared_data_steps() if paths.instance is None else []
    return [*steps, Step(f"remove {unit} from systemd", lambda: _reset_unit(unit))]


def kept_paths(paths: ServicePaths) -> list[Path]:
    """Return what remains after a removal that keeps the data."""
    return [path for path in (paths.state, paths.config, paths.drop_ins) if path.exists()]


def _shared_data_steps() -> list[Step]:
    """Return the removal of what all services share, unless data of an instance remain."""
    data = [*Path("/var/lib").glob("dogid-*/ledger.db"), *Path("/var/lib").glob("dogid-*/inbox")]
    if data:
        return []
    user = Step(f"remove the user {USER}", program("userdel", USER), _has_no_user)
    return [_removal(UNITS / "dogid@.service.d"), _removal(CONFIG_DIR), user]


def _reset_unit(unit: str) -> None:
    run_program("systemctl", "daemon-reload")
    try_program("systemctl", "reset-failed", unit)


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
