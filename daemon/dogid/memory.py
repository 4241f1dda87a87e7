"""Giving memory back to the system, and sparing the garbage collector what is there to stay.

The C library keeps what was freed for the next use, a heap for each thread: after the model has been tried, or after a
backlog, megabytes lie there that a small machine could use.
"""

import ctypes
import gc


def keep_for_good() -> None:
    """Have the garbage collector never again look through all that is there now: modules, the model, the threads."""
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Return the unused memory of all heaps, in some milliseconds. Does nothing where the C library cannot (musl)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3)
    if trim is not None:
        trim(0)
