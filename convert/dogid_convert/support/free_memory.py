"""Whether memory and disk are enough for a conversion."""

import shutil
from pathlib import Path

from dogid.errors import DogidError
from dogid.system.memory import free_memory

_PACKAGES = 600e6
"""Bytes of memory that TensorFlow takes without any graph."""

_COPIES = 12
"""How often a graph's weights are in memory at most: read, rebuilt, converted, calibrated and packed.

Raising it refuses conversions that would fit; lowering it lets the kernel kill large conversions half-way.
"""

_RESERVE = 1e6
"""Bytes on disk for labels, golden photo and report."""


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


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _mb(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"
