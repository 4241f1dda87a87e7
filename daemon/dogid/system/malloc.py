"""Keeping memory use low: glibc's malloc.

glibc keeps freed memory for reuse, in an arena for each thread: after the self-test of the model, or after a backlog,
that is megabytes which a small machine could use.
"""

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
_ARENAS = 2  # one keeps less freed memory, but threads wait for each other; the default is 8 a core


def limit_malloc_arenas() -> None:
    """Have all threads share a few malloc arenas (mallopt(3)). Call before threads start; a no-op outside glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)


def trim_malloc() -> None:
    """Return freed memory of all arenas to the system; takes some milliseconds. A no-op outside glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3)
    if trim is not None:
        trim(0)
