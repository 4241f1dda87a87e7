"""Keeping memory use low: glibc's malloc.

glibc keeps freed memory for reuse, in an arena for each thread: after the self-test of the model, or after a backlog,
that is megabytes which a small machine could use.
"""

import ctypes

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3  # M_ARENA_MAX and M_MMAP_THRESHOLD of malloc.h
_ARENAS = 2  # one keeps less freed memory, but threads wait for each other; the default is 8 a core
_LARGE = 2 << 20
"""Bytes. At half of it, a learning run takes a second of CPU more; at double, 4 MB more; at four times all is kept."""


def limit_malloc_arenas() -> None:
    """Have all threads share a few malloc arenas (mallopt(3)). Call before threads start; a no-op outside glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)


def return_large_blocks() -> None:
    """Have what is larger than two megabytes go back to the system as soon as it is freed. A no-op outside glibc.

    By itself glibc stops doing that from the first large block on that is freed (mallopt(3), M_MMAP_THRESHOLD): of the
    arrays of a learning run, 50 MB stay behind. For a process that works with few large arrays: each costs a system
    call, and its pages are zeroed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)


def trim_malloc() -> None:
    """Return freed memory of all arenas to the system; takes some milliseconds. A no-op outside glibc."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3)
    if trim is not None:
        trim(0)
