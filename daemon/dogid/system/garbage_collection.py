"""Python's garbage collector: seldom in commands and while a daemon starts, which make objects and keep them."""

import contextlib
import gc
from collections.abc import Iterator

_USUAL = gc.get_threshold()
# New objects before a collection; the others as in `gc.set_threshold`. A start makes 100,000 objects that stay, and
# with the usual 700 looks at them again and again: a fifth of its time. Raising this keeps more garbage in memory,
# lowering it makes starts slower.
_SELDOM = (20_000, 20, 20)


def collect_seldom() -> None:
    """Collect garbage less often from now on."""
    gc.set_threshold(*_SELDOM)


@contextlib.contextmanager
def collecting_seldom() -> Iterator[None]:
    """Collect garbage less often while the context lasts."""
    collect_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*_USUAL)


def freeze_gc() -> None:
    """Exclude all present objects (modules, the model) from future garbage collections, which come as usual."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_USUAL)
