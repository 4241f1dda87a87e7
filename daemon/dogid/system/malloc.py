"""Giving memory back to the system, and sparing the garbage collector what is there to stay.

The C library keeps what was freed for the next use, a heap for each thread: after the model has been tried, or after a
backlog, megabytes lie there that a small machine could use.
"""

import ctypes
import gc

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_HEAPS = 2


def limit_malloc_arenas() -> None:
    """Have all threads share a few heaps. To be called before there are threads; does nothing in other C libraries.

    glibc gives every thread one of its own, and each keeps what was freed in it (mallopt(3)).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _HEAPS)


def freeze_gc() -> None:
    """Have the garbage collector never again look through all that is there now: modules, the model, the threads."""
    gc.collect()
    gc.freeze()


def trim_malloc() -> None:
    """Return the unused memory of all heaps, in some milliseconds. Does nothing where the C library cannot (musl)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3)
    if trim is not None:
        trim(0)
