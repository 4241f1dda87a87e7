"""Python literals, read by one thread at a time.

Python before 3.11.8, Debian 12's among them, now and then raises a SystemError where two threads parse at the same
moment (https://github.com/python/cpython/issues/106905). numpy parses the header of each array file.
"""

import ast
import threading
from typing import Any

parsing = threading.Lock()
"""Held while a library parses Python source, such as an array's header."""


def parse_literal(text: str) -> Any:
    """Return the value of a literal. Raise what `ast.literal_eval` raises."""
    with parsing:
        return ast.literal_eval(text)
