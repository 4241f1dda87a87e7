"""Logging: to the journal with priority and fields where stderr leads there, else to stderr as plain lines.

The journal's native protocol: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.
"""

import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Any

from dogid.file_names import one_line

_SOCKET = "/run/systemd/journal/socket"
_IDENTIFIER = "dogid"
_LONGEST_VALUE = 16_000  # bytes: a whole message must fit into one datagram
_PLAIN_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_FIELDS = "photo"
"""The attribute of log records that contains a photo's fields: log.info(..., extra={"photo": {"file": ...}})."""


def set_up_logging(environ: Mapping[str, str] = os.environ) -> bool:
    """Log to the journal where stderr leads there, else to stderr; return whether it is the journal."""
    handler: logging.Handler
    journal = _stderr_is_journal(environ)
    if journal:
        handler = JournalHandler()
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(OneLineFormatter(_PLAIN_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    return journal


def photo_fields(file: str, status: str, label: str | None = None) -> dict[str, object]:
    """Return the `extra` of a log call that sets the journal fields DOGID_FILE, DOGID_STATUS and DOGID_LABEL."""
    fields = {"file": file, "status": status} | ({} if label is None else {"label": label})
    return {_FIELDS: fields}


class OneLineFormatter(logging.Formatter):
    """Escapes control characters in messages: names of files in them could forge lines, or control a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line of a record, without its traceback."""
        record.message = one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return a traceback, of the lines that it has."""
        return "\n".join(one_line(line) for line in super().formatException(ei).split("\n"))


class JournalHandler(logging.Handler):
    """Writes records to the journal, with PRIORITY and the fields of `photo_fields`."""

    def __init__(self, address: str = _SOCKET) -> None:
        super().__init__()
        self.setFormatter(OneLineFormatter("%(message)s"))
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record to the journal; where that fails, write it to stderr with its priority in front."""
        message = self.format(record)
        try:
            self._socket.sendto(_entry(record, message), self._address)
        except OSError:
            prefix = f"<{priority(record.levelno)}>"
            sys.stderr.write("".join(f"{prefix}{line}\n" for line in message.splitlines() or [""]))
            sys.stderr.flush()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()


def priority(level: int) -> int:
    """Given a level of `logging`, return syslog's: 2 critical, 3 error, 4 warning, 6 info, 7 debug."""
    for least, number in ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6)):
        if level >= least:
            return number
    return 7


def _entry(record: logging.LogRecord, message: str) -> bytes:
    fields = {
        "MESSAGE": message,
        "PRIORITY": str(priority(record.levelno)),
        "SYSLOG_IDENTIFIER": _IDENTIFIER,
        "SYSLOG_PID": str(record.process),
        "LOGGER": record.name,
        "THREAD_NAME": record.threadName or "",
    }
    about: Mapping[str, str] = getattr(record, _FIELDS, {})
    fields.update({f"DOGID_{name.upper()}": value for name, value in about.items()})
    return b"".join(_field(name, value) for name, value in fields.items())


def _field(name: str, value: str) -> bytes:
    """Return NAME=value, or, where the value has line breaks, the name, the value's length and the value."""
    data = value.encode("utf-8", "backslashreplace")[:_LONGEST_VALUE]
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def _stderr_is_journal(environ: Mapping[str, str]) -> bool:
    """Return whether stderr is the stream in JOURNAL_STREAM (systemd.exec(5)), that is, not redirected elsewhere."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    if not (device.isdecimal() and inode.isdecimal()):
        return False
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (int(device), int(inode))
