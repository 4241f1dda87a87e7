"""Flags under their former names, which work for one more version."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any


class _Renamed(argparse.Action):
    """Stores like the new flag, and prints the new name."""

    def __init__(self, *, new: str, append: bool, **options: Any) -> None:
        super().__init__(help=argparse.SUPPRESS, **options)
        self._new, self._append = new, append

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        warning = f"dogid: {option_string} is now {self._new}; the old name will be removed in the next version"
        print(warning, file=sys.stderr)  # noqa: T201
        earlier = getattr(namespace, self.dest) if self._append else None
        setattr(namespace, self.dest, [*(earlier or ()), values] if self._append else values)


def add_old_name(
    parser: argparse._ActionsContainer, old: str, new: str, *, append: bool = False, **options: Any
) -> None:
    """Accept the flag old in the place of new, without showing it in the help. options are those of the new flag.

    Where new is required, add both to one mutually exclusive group that is required.
    """
    dest = new.lstrip("-").replace("-", "_")
    parser.add_argument(old, action=_Renamed, new=new, append=append, dest=dest, default=argparse.SUPPRESS, **options)
