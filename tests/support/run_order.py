"""Which of pytest-xdist's processes runs which tests, and in which order.

The tests of a file run in one process, so that they share its fixtures; so do those of some groups of folders, which
share what is expensive to make. Only that process collects the group: each of the others would import TensorFlow, or
the like, for tests that it does not run.
"""

from pathlib import Path

GROUPS = {
    "TensorFlow": ("tests/convert/", "tests/model/"),
    "an installed service": ("tests/service/",),
    "a browser": ("tests/web/browser/",),
}
"""Folders whose tests share TensorFlow with its graphs and trainings, an installed service, a browser. None of them
takes as long as all other tests together."""

_LONGEST = (
    "tests/convert/", "tests/model/", "tests/service/", "tests/web/browser/", "tests/soak/", "tests/learning/",
    "tests/chain/", "tests/crash/", "tests/replay/", "tests/web/api/test_schemathesis.py",
)  # fmt: skip
"""They start first, in this order, so that no process is left alone with one of them at the end; also single files."""


def rank(test: str) -> int:
    """Return where a test stands in the order of the run; the smallest first."""
    return next((at for at, folder in enumerate(_LONGEST) if test.startswith(folder)), len(_LONGEST))


def find_group(test: str) -> str | None:
    """Return the name of the group that a test, or a folder with a slash at its end, belongs to; None where to none."""
    return next((group for group, folders in GROUPS.items() if test.startswith(folders)), None)


def is_for_another(path: Path, root: Path, worker: str, workers: int) -> bool:
    """Whether a file or folder belongs to a group that another process collects.

    worker: this process's name, gw0, gw1 ...; workers: how many there are.
    """
    group = find_group(f"{path.relative_to(root).as_posix()}/") if path.is_relative_to(root) else None
    return group is not None and worker != f"gw{list(GROUPS).index(group) % workers}"
