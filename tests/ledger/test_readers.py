"""Connections for reading are closed, whichever thread drops them."""

import sqlite3
import threading
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.ledger.ledger import Ledger
from dogid.ledger.readers import Readers


@pytest.mark.filterwarnings("error")
def test_dropped_readers_close_connections_of_other_threads(tmp_path: Path) -> None:
    Ledger(tmp_path, lambda _: None, Clock()).close()
    readers = [Readers(tmp_path, lambda: None)]
    opened: list[sqlite3.Connection] = []
    is_open, is_dropped = threading.Event(), threading.Event()

    def read() -> None:
        opened.append(readers[0].connection())
        is_open.set()
        is_dropped.wait()

    thread = threading.Thread(target=read)
    thread.start()
    is_open.wait()
    readers.clear()
    is_dropped.set()
    thread.join()

    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        opened[0].execute("SELECT 1")
