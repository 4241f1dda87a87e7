"""Branch coverage of `dogid` commands that run on a test machine: `make coverage` counts them too."""

import os
import shutil
from pathlib import Path

from tests.support.daemon import ROOT

_FOLDER = Path("/srv/coverage")
"""Where coverage.py, its settings and its data are on the machine."""
_SETTINGS = f"""[run]
branch = true
parallel = true
source = {ROOT / "daemon"}
data_file = {_FOLDER / "data"}
disable_warnings = no-data-collected, module-not-imported
"""


def is_measured() -> bool:
    """Return whether coverage.py measures this run of the tests."""
    return "COVERAGE_PROCESS_CONFIG" in os.environ


def install(root: Path) -> None:
    """Copy coverage.py, which needs nothing but Python, to the machine whose root is given."""
    import coverage

    folder = root / _FOLDER.relative_to("/")
    shutil.copytree(Path(coverage.__file__).parent, folder / "lib" / "coverage")
    (folder / "settings").write_text(_SETTINGS)


def python_options() -> list[str]:
    """Return the options of Python that measure the module whose `-m` follows."""
    return ["-m", "coverage", "run", f"--rcfile={_FOLDER / 'settings'}"]


def library() -> str:
    """Return the folder that PYTHONPATH must contain on the machine."""
    return str(_FOLDER / "lib")


def collect(root: Path) -> None:
    """Copy the data of the machine whose root is given to where coverage.py combines them."""
    for path in (root / _FOLDER.relative_to("/")).glob("data.*"):
        shutil.copy(path, ROOT / ".coverage")
