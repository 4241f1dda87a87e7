"""A file that records are appended to: on the disk before they are acknowledged, whole after a power cut, rotated.

Beside the state of the output is noted where the latest batch begins: all before it was acknowledged. Behind that may
be records that were not, after a kill or a power cut, and a torn one at the end: that is cut off, and the others are
not written again, by their ids.
"""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

Tail = tuple[int, set[str]]
"""Bytes of a tail that are whole records, and the ids of these."""


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How records are written."""

    header: bytes
    """What a file begins with; may be empty."""
    read_tail: Callable[[bytes], Tail]
    """Given the end of a file, from the beginning of a record on, returns what is whole of it."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is put aside, and a new one begun."""

    most_bytes: int
    daily: bool
    keep: int
    """How many files that were put aside stay; 0: all."""


class RecordFile:
    """The file, which is open between two batches."""

    def __init__(self, path: Path, note: Path, form: RecordFormat, rotation: Rotation) -> None:
        """Set up without opening it. note: where it is noted where the latest batch begins."""
        self._path = path
        self._note = note
        self._form = form
        self._rotation = rotation
        self._file: int | None = None
        self._size = 0
        self._known: set[str] = set()
        """Ids of records that are there already, though they were not acknowledged."""
        self._day = date.min

    def append(self, records: Sequence[tuple[str, bytes]], today: date) -> None:
        """Append records, each with its id, and have them on the disk; those that are there already are left out.

        Raise OSError: then it may be called again with the same records.
        """
        self._open(today)
        if self._is_due(today):
            self._rotate(today)
            self._open(today)
        assert self._file is not None
        new = [record for name, record in records if name not in self._known]
        data = b"".join(new)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # what a full disk has left of it; else the next opening finds it
                os.ftruncate(self._file, self._size)
            self.close()
            raise
        if records and len(new) == len(records):  # else the batch begins before those that were there already
            self._write_note()
        self._size += len(data)
        self._day = today
        if new:
            self._known.clear()  # records come in order: none of those that are there comes after a new one

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self, today: date) -> None:
        """Have the file open, whole and with its header; again where another program has put it aside."""
        if self._file is not None:
            try:
                if os.path.samestat(os.stat(self._path), os.fstat(self._file)):
                    return None
            except FileNotFoundError:
                pass
            self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o644)
        status = os.fstat(self._file)
        self._size = status.st_size
        self._day = date.fromtimestamp(status.st_mtime) if status.st_size else today  # noqa: DTZ012  # local days
        if self._size and os.pread(self._file, len(self._form.header), 0) != self._form.header[: self._size]:
            self._rotate(today)  # of another program, or of an older dogid
            return self._open(today)
        self._mend(status.st_ino)
        if self._size < len(self._form.header):
            os.ftruncate(self._file, 0)
            os.write(self._file, self._form.header)
            self._size = len(self._form.header)
        return None

    def _mend(self, inode: int) -> None:
        """Cut off what a power cut has left of a record, and find out which whole ones were not acknowledged."""
        assert self._file is not None
        start = max(self._read_note(inode), len(self._form.header))
        self._known = set()
        if self._size <= start:
            return
        tail = os.pread(self._file, self._size - start, start)
        whole, self._known = self._form.read_tail(tail)
        if whole < len(tail):
            os.ftruncate(self._file, start + whole)
            self._size = start + whole

    def _read_note(self, inode: int) -> int:
        """Return where the latest batch began; 0 where that is not known."""
        try:
            note = json.loads(self._note.read_text())
            end = note["end"] if note["inode"] == inode else 0
            return end if isinstance(end, int) and 0 <= end <= self._size else 0
        except (OSError, ValueError, LookupError, TypeError):
            return 0

    def _write_note(self) -> None:
        """Note where the latest batch begins. An older note, or none, costs time at the next start and nothing else."""
        assert self._file is not None
        with contextlib.suppress(OSError):
            self._note.parent.mkdir(parents=True, exist_ok=True)
            new = self._note.with_suffix(".part")
            new.write_text(json.dumps({"inode": os.fstat(self._file).st_ino, "end": self._size}))
            new.replace(self._note)

    def _is_due(self, today: date) -> bool:
        is_filled = self._size > len(self._form.header)
        return is_filled and (self._size >= self._rotation.most_bytes or (self._rotation.daily and self._day < today))

    def _rotate(self, today: date) -> None:
        """Put the file aside under the day of its last record, and delete the oldest beyond those that are kept."""
        self.close()
        day = self._day if self._rotation.daily else today
        stem, suffix = self._path.stem, self._path.suffix
        number = 1
        while (aside := self._path.with_name(f"{stem}-{day:%Y%m%d}-{number:04d}{suffix}")).exists():
            number += 1
        self._path.rename(aside)
        if self._rotation.keep:
            pattern = f"{stem}-{'[0-9]' * 8}-{'[0-9]' * 4}{suffix}"
            for old in sorted(self._path.parent.glob(pattern))[: -self._rotation.keep]:
                old.unlink(missing_ok=True)
