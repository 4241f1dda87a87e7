"""Which of pytest-xdist's processes runs which tests, and in which order.

The tests of a file run in one process, so that they share its fixtures; so do those of some groups of folders, which
share what is expensive to make. Only that process collects the group: each of the others would import TensorFlow, or
the like, for tests that it does not run.
"""

from pathlib import Path

GROUPS = {
    "training": ("tests/convert/training/", "tests/learning/test_logistic_regression.py"),
    "an installed service": (
        "tests/service/test_hardening.py",
        "tests/service/test_installation.py",
        "tests/service/test_outputs.py",
        "tests/service/test_recovery.py",
        "tests/service/test_service.py",
        "tests/service/trixie/",
    ),
    "TensorFlow": ("tests/convert/", "tests/judging/", "tests/model/"),
    "a Debian package": ("tests/service/test_deb.py", "tests/service/test_arm.py"),
    "a browser": ("tests/web/browser/",),
    "outputs and archives": ("tests/outputs/", "tests/archive/", "tests/photo/", "tests/test_file_names.py"),
}
"""Folders and files whose tests share TensorFlow with its graphs and trainings, scikit-learn, an installed service,
packages, a browser, imports of clients, servers and hypothesis; the more exact path counts. The longest is first: none
may take as long as all other tests together, and there are as many as processes, each of which begins with one."""

_LONGEST = (
    "tests/learning/test_learning_run.py", "tests/learning/test_learning_by_itself.py", "tests/soak/", "tests/chain/",
    "tests/crash/", "tests/replay/", "tests/learning/", "tests/inbox/", "tests/web/api/test_schemathesis.py",
    "tests/attacks/test_slow.py", "tests/pages/", "tests/pipeline/", "tests/commands/",
)  # fmt: skip
"""After the groups these start first, in this order, so that no process is left alone with one of them at the end."""


def rank(test: str) -> int:
    """Return where a test stands in the order of the run; the smallest first."""
    group = find_group(test)
    if group is not None:
        return list(GROUPS).index(group)
    at = next((at for at, folder in enumerate(_LONGEST) if test.startswith(folder)), len(_LONGEST))
    return len(GROUPS) + at


def find_group(test: str) -> str | None:
    """Return the name of the group that a test, or a folder with a slash at its end, belongs to; None where to none."""
    found = [(len(path), group) for group, paths in GROUPS.items() for path in paths if test.startswith(path)]
    return max(found)[1] if found else None


def is_for_another(path: Path, root: Path, worker: str, workers: int) -> bool:
    """Whether a file, or a folder with all that is in it, belongs to groups that other processes collect.

    worker: this process's name, gw0, gw1 ...; workers: how many there are.
    """
    if not path.is_relative_to(root):
        return False
    name = f"{path.relative_to(root).as_posix()}/"
    inside = (group for group, paths in GROUPS.items() if any(one.startswith(name) for one in paths))
    groups = {find_group(name), *inside}
    return all(group is not None and worker != _worker_of(group, workers) for group in groups)


def _worker_of(group: str, workers: int) -> str:
    """Return the process of a group; where there are fewer, the last one has two, and so on back."""
    row, at = divmod(list(GROUPS).index(group), workers)
    return f"gw{workers - 1 - at if row % 2 else at}"
