"""Packages that only some commands need."""

import importlib.util

from dogid.errors import UsageError


def check_installed(package: str, extra: str, command: str) -> None:
    """Raise UsageError where a package that an extra of dogid installs is missing; command is what needs it."""
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"`{command}` needs {package}, which is not installed here: pip install 'dogid[{extra}]'")
