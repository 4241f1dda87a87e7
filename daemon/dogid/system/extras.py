"""How an extra of dogid is installed, for messages: in a clone of the repository otherwise than from a wheel."""

import shlex
import sys
from pathlib import Path

_TRAINING = "convert"


def make_install_command(extra: str, *, repairs: bool = False) -> str:
    """Return the shell command that installs an extra for the dogid that runs.

    repairs: install its packages again although they are there.
    """
    flags = " --force-reinstall" if repairs else ""
    clone = _find_clone()
    if clone is None:
        return f"pip install{flags} 'dogid[{extra}]'"
    enter = f"cd {shlex.quote(str(clone))}"
    if extra == _TRAINING and not repairs:
        return f"{enter} && make train-env && . .venv-train/bin/activate"
    return f"{enter} && {_find_pip(clone)} install{flags} -e '.[{extra}]'"


def _find_clone() -> Path | None:
    """Return the folder of the repository that this file is run from; None where it was installed."""
    root = Path(__file__).parents[3]
    try:
        is_clone = "\ntrain-env:" in (root / "Makefile").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return root if is_clone else None


def _find_pip(clone: Path) -> str:
    """Return pip by its path in the clone's own environment, which need not be activated."""
    environment = Path(sys.prefix)
    return f"{environment.relative_to(clone)}/bin/pip" if environment.is_relative_to(clone) else "pip"
