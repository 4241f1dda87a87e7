"""What outputs read of the daemon, which passes it on from above."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dogid.clock import Clock
from dogid.decoding.decoder import Decoder
from dogid.status import Health


class ChangeSignal(Protocol):
    """Wakes threads that wait for changes of the ledger: `pipeline/result_signal`."""

    @property
    def number(self) -> int:
        """How many times it was announced."""

    @property
    def closed(self) -> bool:
        """Whether there will be no more changes."""

    def announce(self) -> None:
        """Wake all that wait."""

    def wait_for_change(self, known: int, timeout: float) -> int:
        """Wait at most timeout seconds until the number is no longer the known one; return it."""


@dataclass(frozen=True, slots=True)
class OutputSource:
    """What of the daemon outputs need."""

    state: Path
    inbox: Path
    clock: Clock
    decoder: Decoder
    signal: ChangeSignal
    reader: Callable[[], sqlite3.Connection]
    """Returns the calling thread's connection to the ledger."""
    list_labels: Callable[[], Sequence[str]]
    """Returns the labels of the model in use."""
    read_health: Callable[[], Health]
    max_bytes: Callable[[], int]
    """Returns the size of the largest file that is read, in bytes."""
    track_decoding: Callable[[], AbstractContextManager[None]]
    """Notes, while the context lasts, that a photo is decoded which may end the process."""
