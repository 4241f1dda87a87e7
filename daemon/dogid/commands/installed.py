"""Packages that only some commands need."""

import importlib.util

from dogid.errors import UsageError
from dogid.system.extras import make_install_command


def check_installed(package: str, extra: str, command: str) -> None:
    """Raise UsageError where a package that an extra of dogid installs is missing; command is what needs it."""
    if importlib.util.find_spec(package) is None:
        fix = make_install_command(extra)
        raise UsageError(f"`{command}` needs {package}, which is not installed here: {fix}")
