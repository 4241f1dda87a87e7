"""The steps that take a service of dogid away again."""

import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

from dogid.errors import DogidError, UsageError
from dogid.installing.places import COMMAND, CONFIG_DIR, PREFIX, SYSUSERS, UNITS, USER, Places, is_debian_package
from dogid.installing.steps import Step, running


def uninstall_steps(places: Places, *, delete_data: bool) -> list[Step]:
    """Return all that is to be done, in order. Raise UsageError where the service is not ours to remove."""
    if places.instance is None and is_debian_package():
        verb = "purge" if delete_data else "remove"
        raise UsageError(f"dogid is installed as a Debian package; remove it by: sudo apt {verb} dogid")
    others = [] if places.instance else [path.name for path in UNITS.glob("multi-user.target.wants/dogid@*.service")]
    if others:
        name = others[0].partition("@")[2].removesuffix(".service")
        raise UsageError(f"{others[0]} still needs the program: sudo dogid service uninstall --instance {name}")
    unit = places.unit
    stop = Step(f"stop {unit} for good", running("systemctl", "disable", "--now", "--quiet", unit), _is_gone(unit))
    steps = [stop, _removal(places.tmpfiles)]
    if places.instance is None:
        program = (UNITS / "dogid.service", UNITS / "dogid@.service", COMMAND, PREFIX, SYSUSERS)
        steps += [_removal(path) for path in program]
    steps.append(Step("have systemd forget the units", running("systemctl", "daemon-reload")))
    if delete_data:
        steps += [_removal(places.state), _removal(places.config)]
    if delete_data and places.instance is None:
        steps += [_removal(CONFIG_DIR), Step(f"remove the user {USER}", running("userdel", USER), _has_no_user)]
    return steps


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

    return Step(f"remove {path}", do, lambda: not path.exists())


def _has_no_user() -> bool:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return True
    return False
