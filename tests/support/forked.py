"""A fork of the test's process, which may die."""

import os
import sys
import traceback
from collections.abc import Callable


def in_another_process(task: Callable[[], object]) -> int:
    """Run task in a fork of this process, without what it prints; return its exit status: 1 for an error.

    A task that returns a number ends with 0 for 0, else with 1; one that returns None ends with 0.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            status = int(bool(task()))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
