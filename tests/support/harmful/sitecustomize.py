"""Makes a process that has this folder on its path hang or die in JPEGs which hold one of the words below.

That is what a decoder's own faults do. This file stands alone: a test writes it into a machine of its own.
"""

import importlib.abc
import importlib.util
import signal
import sys
import time
from importlib.machinery import ModuleSpec
from typing import Any

HANGS = b"a photo that hangs the decoder"
KILLS = b"a photo that kills the decoder"


class _PatchDecoder(importlib.abc.MetaPathFinder):
    """Changes simplejpeg.decode_jpeg as soon as the module is loaded."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        if name != "simplejpeg":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        load = spec.loader.exec_module

        def load_and_patch(module: Any) -> None:
            load(module)
            _patch(module)

        spec.loader.exec_module = load_and_patch  # type: ignore[method-assign]
        return spec


def _patch(module: Any) -> None:
    original = module.decode_jpeg

    def decode_or_do_harm(data: bytes, *rest: Any, **named: Any) -> Any:
        if KILLS in data:
            signal.raise_signal(signal.SIGSEGV)  # in this thread, as a real fault: to the process, another would get it
        while HANGS in data:
            hang_in_this_photo()
        return original(data, *rest, **named)

    module.decode_jpeg = decode_or_do_harm


def hang_in_this_photo() -> None:
    """Its name shows in the stack of the hang."""
    time.sleep(0.1)


sys.meta_path.insert(0, _PatchDecoder())
