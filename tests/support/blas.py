"""Imports numpy so that it computes with one thread in the tests' own process.

On small matrices a second thread costs as much again in waiting, and several such processes share the processors.
Processes that tests start have as many threads as a user's.
"""

import os

_NAME = "OPENBLAS_NUM_THREADS"  # read when numpy is imported
_given = os.environ.get(_NAME)
os.environ[_NAME] = "1"

import numpy as np  # noqa: E402, F401

del os.environ[_NAME]
if _given is not None:
    os.environ[_NAME] = _given
