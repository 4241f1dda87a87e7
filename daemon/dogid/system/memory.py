"""How much memory this process may have, and how much of it is free: of the machine and of its control groups."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class _CgroupFiles(NamedTuple):
    """Where a version of control groups keeps its figures."""

    controller: str
    """In /proc/self/cgroup; version 2 has none there."""
    mount: str
    limits: tuple[str, ...]
    """Beyond the first the kernel ends processes; beyond the second it slows them down."""
    usage: str
    reclaimable: tuple[str, ...]
    """Keys of memory.stat: file pages that the kernel drops before it refuses memory. They count as usage."""


_CGROUPS = (
    _CgroupFiles(
        "", "sys/fs/cgroup", ("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file")
    ),
    _CgroupFiles(
        "memory",
        "sys/fs/cgroup/memory",
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        ("total_inactive_file", "total_active_file"),
    ),
)
# https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/memory.html


def free_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes this process can still get: the least of the machine's and its control groups'.

    Page cache that the kernel can drop counts as free. None where the system reports nothing. root is where proc and
    sys are mounted.
    """
    groups = [_room(folder, files) for files in _CGROUPS for folder in _own_groups(root, files)]
    return min(
        (free for free in (_read_meminfo(root, "MemAvailable:", "SwapFree:"), *groups) if free is not None),
        default=None,
    )


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return how many bytes this process can have in all, swap left out; None where the system reports nothing."""
    groups = [_limit(folder, files) for files in _CGROUPS for folder in _own_groups(root, files)]
    machine = _read_meminfo(root, "MemTotal:")
    return min((limit for limit in (machine, *groups) if limit is not None), default=None)


def _read_meminfo(root: Path, *keys: str) -> int | None:
    """Return the sum of figures of the machine's memory, in bytes."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        found = [int(line.split()[1]) for line in lines if line.startswith(keys)]
    except (OSError, ValueError, IndexError):
        return None
    return 1024 * sum(found) if found else None


def _own_groups(root: Path, files: _CgroupFiles) -> Iterator[Path]:
    """Yield the folder of this process' control group and of all groups that it is nested in.

    A container may see the path of its group on the host, but only its own part of the tree: missing folders are
    skipped by the reader, and the mount point itself is the last.
    """
    mount = root / files.mount
    inside = PurePosixPath(_group_path(root, files.controller).lstrip("/"))
    if ".." not in inside.parts:  # outside of this process' view
        yield from (mount / path for path in (inside, *inside.parents) if path.parts)
    yield mount


def _group_path(root: Path, controller: str) -> str:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "/"
    groups = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return next((path for _, controllers, path in groups if controller in controllers.split(",")), "/")


def _room(folder: Path, files: _CgroupFiles) -> int | None:
    """Return how many bytes a control group can still take; None where it has no limit, or is none."""
    limit = _limit(folder, files)
    usage = _read_integer(folder / files.usage)
    if limit is None or usage is None:
        return None
    try:
        return max(0, limit - max(0, usage - _reclaimable(folder, files)))
    except (OSError, ValueError):
        return None


def _limit(folder: Path, files: _CgroupFiles) -> int | None:
    limits = (_read_integer(folder / name) for name in files.limits)
    return min((limit for limit in limits if limit is not None), default=None)


def _read_integer(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max", or another kind of system
        return None


def _reclaimable(folder: Path, files: _CgroupFiles) -> int:
    lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.split()[0] in files.reclaimable)
