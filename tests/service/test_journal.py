"""Log lines as the journal gets them; no journal is needed."""

import logging
import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.system.journal import JournalHandler, photo_fields, priority
from tests.conftest import MakeDaemon
from tests.support.photos import photo, put
from tests.support.waiting import TIMEOUT


class Journal:
    """A socket in the journal's place, and a logger that leads there."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(TIMEOUT)
        self.log = logging.Logger("test")
        self.log.addHandler(JournalHandler(address))

    def entry(self) -> dict[str, str]:
        """The fields of the next entry."""
        data = self._socket.recv(1 << 20)
        fields = {}
        while data:
            line, _, data = data.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:
                (length,) = struct.unpack("<Q", data[:8])
                value, data = data[8 : 8 + length], data[9 + length :]
            fields[name.decode()] = value.decode()
        return fields

    def close(self) -> None:
        self.log.handlers[0].close()
        self._socket.close()


@pytest.fixture
def journal() -> Iterator[Journal]:
    with tempfile.TemporaryDirectory() as folder:
        made = Journal(f"{folder}/socket")
        yield made
        made.close()


def test_entry_has_priority_and_photo_fields(journal: Journal) -> None:
    journal.log.warning("%s: failed", "a.jpg", extra=photo_fields("a.jpg", "failed"))
    entry = journal.entry()

    assert (entry["MESSAGE"], entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]) == ("a.jpg: failed", "4", "dogid")
    assert (entry["DOGID_FILE"], entry["DOGID_STATUS"]) == ("a.jpg", "failed")
    assert "DOGID_LABEL" not in entry


def test_line_breaks_cannot_inject_fields(journal: Journal) -> None:
    journal.log.info("one\nPRIORITY=0", extra=photo_fields("a\nMESSAGE=b.jpg", "classified", "dog"))
    entry = journal.entry()

    assert (entry["MESSAGE"], entry["PRIORITY"]) == (r"one\nPRIORITY=0", "6")
    assert entry["DOGID_FILE"] == "a\nMESSAGE=b.jpg"


def test_traceback_is_one_entry(journal: Journal) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        journal.log.exception("it went wrong")

    message = journal.entry()["MESSAGE"]
    assert message.startswith("it went wrong\nTraceback")
    assert message.endswith("ValueError: no")


def test_very_long_line_is_truncated(journal: Journal) -> None:
    journal.log.info("x" * 1_000_000)

    assert set(journal.entry()["MESSAGE"]) == {"x"}


def test_without_journal_lines_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.Logger("test")
    log.addHandler(JournalHandler(str(tmp_path / "gone")))
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("first")
    log.handlers[0].close()

    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == ("<3>first", "<3>ValueError: no")


@pytest.mark.parametrize(
    ("level", "number"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7), (25, 6)],
)
def test_levels_become_syslog_priorities(level: int, number: int) -> None:
    assert priority(level) == number


def test_stderr_outside_journal_gets_plain_lines(make_daemon: MakeDaemon, inbox: Path) -> None:
    status = os.stat("/dev/null")  # as systemd sets it for a stderr that was redirected since
    daemon = make_daemon(environ={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}).start()
    put(inbox / "a.jpg", photo(1))
    daemon.wait_for_answer("a.jpg")

    daemon.wait_for_log(" INFO a.jpg: ")
