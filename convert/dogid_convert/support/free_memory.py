"""Is there room for it? Asked before a long run, so that none ends for want of memory or disk."""

import shutil
from pathlib import Path

from dogid.errors import DogidError

_PACKAGES = 600e6
"""Bytes of memory that TensorFlow takes without any graph."""

_COPIES = 12
"""How often a graph's weights are in memory at worst: read, rebuilt, converted, calibrated and packed."""

_RESERVE = 1e6
"""Bytes on disk for labels, golden photo and report."""

_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def check_resources(graph: Path, out: Path, pixels: int) -> None:
    """Raise DogidError where memory or disk would not do.

    pixels is how many bytes the decoded photos take; what the machine does not tell is not checked.
    """
    size = _size(graph)
    room = shutil.disk_usage(out.parent).free
    if room < size + _RESERVE:
        raise DogidError(
            f"{out.parent}: the model needs up to {_mb(size + _RESERVE)} of disk, there are {_mb(room)}; make room, or "
            "write it to another disk"
        )
    needed, free = _PACKAGES + _COPIES * size + pixels, free_memory()
    if free is not None and free < needed:
        raise DogidError(
            f"{graph}: converting needs about {_mb(needed)} of memory, there are {_mb(free)}; close other "
            "programs, use a larger machine, or give fewer photos"
        )


def free_memory(root: Path = Path("/")) -> int | None:
    """Return how many bytes a program can still get, from the machine or its container; None where nobody tells."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        free = [int(line.split()[1]) for line in lines if line.startswith(("MemAvailable:", "SwapFree:"))]
        machine = [1024 * sum(free)]
    except (OSError, ValueError, IndexError):
        machine = []
    for limit, used in _CGROUPS:
        try:
            texts = [(root / name.lstrip("/")).read_text().strip() for name in (limit, used)]
            machine.append(max(0, int(texts[0]) - int(texts[1])))
        except (OSError, ValueError):  # "max", or another kind of system
            continue
    return min(machine, default=None)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _mb(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"
