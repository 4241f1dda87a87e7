"""Hides Pillow's and libtiff's own messages about damaged photos: dogid's errors say the same, with the file's name."""

import contextlib
import ctypes
import logging
import warnings
from functools import cache
from pathlib import Path

_MAPPED = Path("/proc/self/maps")


def silence_pillow() -> None:
    """Ignore the warnings and log lines of Pillow's readers; warnings of decompression bombs are of another kind."""
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


@cache
def silence_libtiff() -> None:
    """Take libtiff's handlers away, which print on stderr. Call once Pillow has loaded it."""
    with contextlib.suppress(OSError, AttributeError):
        loaded = {line.split(maxsplit=5)[-1] for line in _MAPPED.read_text().splitlines() if "libtiff" in line}
        for path in loaded:
            library = ctypes.CDLL(path)  # the copy that is loaded, no other
            for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
                setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
                setter(None)
