"""Makes a process that has this folder on its path die in photos which hold the word below, as of a decoder's fault."""

import importlib.abc
import os
import signal
import sys
from typing import Any

WORD = b"a photo that kills the decoder"


class _PatchPillow(importlib.abc.MetaPathFinder):
    """Changes PIL.Image.open once the module is there."""

    def find_spec(self, *_: Any) -> None:
        module = sys.modules.get("PIL.Image")
        if module is not None and hasattr(module, "open"):
            sys.meta_path.remove(self)
            _patch(module)


def _patch(module: Any) -> None:
    original = module.open

    def die_of_this_photo(file: Any, *rest: Any, **named: Any) -> Any:
        if hasattr(file, "getvalue") and WORD in file.getvalue():
            os.kill(os.getpid(), signal.SIGKILL)
        return original(file, *rest, **named)

    module.open = die_of_this_photo


sys.meta_path.insert(0, _PatchPillow())
