"""Running a daemon with the rights of an ordinary user, also where the tests run as root."""

import ctypes
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

T = TypeVar("T")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def without_override() -> list[str]:
    """Return a command that starts ours so that the modes of files hold for it, as they do not for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (apt install util-linux)")
    capabilities = "-dac_override,-dac_read_search"
    return ["setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities]


_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h, and the two bits that follow
_OVERRIDE = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def run_without_override(work: Callable[[], T]) -> T:
    """Call work in a thread for which the modes of files hold, as they do not for root; return its result.

    Capabilities belong to a thread: the others keep theirs, those that work starts have none of these either.
    """

    def drop_and_work() -> T:
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then each one's upper half
        if libc.capget(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "capget")
        sets[0] &= ~_OVERRIDE
        if libc.capset(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        return work()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(drop_and_work).result()
