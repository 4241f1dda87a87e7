"""Connections for reading, by thread."""

import os
import sqlite3
import threading
from pathlib import Path

from dogid.ledger.database import FILE_NAME, open_for_writing
from dogid.ledger.readers import Readers


def descriptors_of_ledger(folder: Path) -> int:
    links = (Path("/proc/self/fd") / number for number in os.listdir("/proc/self/fd"))
    return sum(link.is_symlink() and os.readlink(link) == str(folder / FILE_NAME) for link in links)


def test_each_thread_keeps_one_connection_of_its_own(tmp_path: Path) -> None:
    open_for_writing(tmp_path).connection.close()
    readers = Readers(tmp_path)
    found: list[sqlite3.Connection] = []
    threads = [threading.Thread(target=lambda: found.extend([readers.connection()] * 2)) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()

    assert readers.connection() is readers.connection()
    assert len({id(connection) for connection in (*found, readers.connection())}) == 4


def test_connections_close_when_their_threads_end(tmp_path: Path) -> None:
    open_for_writing(tmp_path).connection.close()
    readers = Readers(tmp_path)
    readers.connection()
    before = descriptors_of_ledger(tmp_path)
    for _ in range(10):
        thread = threading.Thread(target=readers.connection)
        thread.start()
        thread.join()

    assert before == 1
    # SQLite keeps a closed one for the next who opens the file: sqlite.org/src/file/src/os_unix.c, "pUnused"
    assert descriptors_of_ledger(tmp_path) <= before + 1
