"""Connections for reading are closed, whichever thread drops them."""

import os
import threading
from pathlib import Path

import pytest

from dogid.clock import Clock
from dogid.ledger.ledger import Ledger
from dogid.ledger.readers import Readers


def open_files(folder: Path) -> int:
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return sum(os.readlink(link).startswith(str(folder)) for link in links if os.path.islink(link))


@pytest.mark.filterwarnings("error")
def test_dropped_readers_close_connections_of_other_threads(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, lambda _: None, Clock())
    before = open_files(tmp_path)
    readers = Readers(tmp_path)
    opened, dropped = threading.Event(), threading.Event()

    def read() -> None:
        readers.connection().execute("SELECT 1 FROM photo")
        opened.set()
        dropped.wait()

    thread = threading.Thread(target=read)
    thread.start()
    opened.wait()
    assert open_files(tmp_path) > before
    del readers, read
    dropped.set()
    thread.join()
    assert open_files(tmp_path) == before
    ledger.close()
