"""How much memory a program can still get, and whether that and the disk are enough for a conversion."""

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dogid.errors import DogidError

_PACKAGES = 600e6
"""Bytes of memory that TensorFlow takes without any graph."""

_COPIES = 12
"""How often a graph's weights are in memory at most: read, rebuilt, converted, calibrated and packed.

Raising it refuses conversions that would fit; lowering it lets the kernel kill large conversions half-way.
"""

_RESERVE = 1e6
"""Bytes on disk for labels, golden photo and report."""


class _CgroupFiles(NamedTuple):
    """Where a version of control groups keeps its figures."""

    controller: str
    """In /proc/self/cgroup; version 2 has none there."""
    mount: str
    limit: str
    usage: str
    reclaimable: str
    """Key of memory.stat: file pages that the kernel drops before it refuses memory. They count as usage."""


_CGROUPS = (
    _CgroupFiles("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    _CgroupFiles(
        "memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    ),
)
# https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/memory.html


def check_resources(graph: Path, out: Path, photo_bytes: int) -> None:
    """Raise DogidError where memory or disk is too small to convert graph and write it to out.

    photo_bytes is the size of the decoded photos. A limit that the system does not report is not checked.
    """
    size = _size(graph)
    room = shutil.disk_usage(out.parent).free
    if room < size + _RESERVE:
        raise DogidError(
            f"{out.parent}: the model needs up to {_mb(size + _RESERVE)} of disk, there are {_mb(room)}; make room, or "
            "write it to another disk"
        )
    needed, free = _PACKAGES + _COPIES * size + photo_bytes, free_memory()
    if free is not None and free < needed:
        raise DogidError(
            f"{graph}: converting needs about {_mb(needed)} of memory, there are {_mb(free)}; close other "
            "programs, use a larger machine, or give fewer photos"
        )


def free_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes this process can still get: the least of the machine's and its control groups'.

    Page cache that the kernel can drop counts as free. None where the system reports nothing. root is where proc and
    sys are mounted.
    """
    groups = [_room(folder, files) for files in _CGROUPS for folder in _own_groups(root, files)]
    return min((free for free in (_machine_memory(root), *groups) if free is not None), default=None)


def _machine_memory(root: Path) -> int | None:
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        free = [int(line.split()[1]) for line in lines if line.startswith(("MemAvailable:", "SwapFree:"))]
    except (OSError, ValueError, IndexError):
        return None
    return 1024 * sum(free) if free else None


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
    try:
        limit, usage = (int((folder / name).read_text(encoding="ascii")) for name in (files.limit, files.usage))
        return max(0, limit - max(0, usage - _reclaimable(folder, files)))
    except (OSError, ValueError):  # "max", or another kind of system
        return None


def _reclaimable(folder: Path, files: _CgroupFiles) -> int:
    lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [files.reclaimable]), 0)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _mb(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"
