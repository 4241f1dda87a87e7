"""Threads that parse at the same moment do not disturb each other; from Python 3.11.8 on they cannot anyway."""

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dogid.literals import parse_literal
from dogid_convert.training.bottleneck_cache import BottleneckCache

_LITERAL = repr(list(range(100)))


class _Cycle:
    """Garbage whose collection runs Python code, during which another thread may take over."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Collect garbage during nearly every parse, and change threads as often as possible."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.freeze()
    gc.set_threshold(20, 1, 1)
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    sys.setswitchinterval(interval)


def parse_in_two_threads(parse: Callable[[], object], times: int) -> None:
    def leave_garbage_and_parse(_: int) -> object:
        _Cycle()
        return parse()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(leave_garbage_and_parse, range(times)))


@pytest.mark.usefixtures("frequent_switches")
def test_literals_are_parsed_in_two_threads() -> None:
    parse_in_two_threads(lambda: parse_literal(_LITERAL), 3_000)


@pytest.mark.usefixtures("frequent_switches")
def test_bottlenecks_are_read_in_two_threads(tmp_path: Path) -> None:
    cache = BottleneckCache(tmp_path, "key")
    cache.write("aa", np.ones((1,) * 32, np.float16))  # a long header

    parse_in_two_threads(lambda: cache.read("aa", 1), 3_000)
