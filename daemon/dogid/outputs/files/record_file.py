"""A file that records are appended to: on the disk before they are acknowledged, whole after a power cut, rotated.

At the end of the file may be records that were not acknowledged, after a kill or a power cut, and a torn one behind
them: that is cut off where it is written again, and the others are not written again, by their ids. Nothing else is
ever cut: people and other programs may have written into the file, and one that does not begin as dogid's is put aside.
"""

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dogid.system.atomic_files import sync_folder

_LOOKED_AT = 16_000_000
"""Bytes at the end in which records are looked for that were not acknowledged; less than a batch of them: they would be
written twice after a kill. More: more memory and time at each start."""
_BEGINNING = 1000  # bytes, in which the header and the beginning of a record stand

Record = tuple[str, bytes]
"""Id, and what is written, which ends with a line break."""


@dataclass(frozen=True, slots=True)
class RecordFormat:
    """How records are written."""

    header: bytes
    """What a file begins with; may be empty."""
    start: re.Pattern[bytes]
    """What each record begins with, at the beginning of a line (`(?m)^`); group 1 is its id."""
    has_quotes: bool
    """Whether line breaks within `"` belong to the record."""

    def begins(self, text: bytes) -> bool:
        """Return whether a file that begins with this text was written by dogid."""
        after = text[len(self.header) :]
        return text.startswith(self.header) and (bool(self.header) or self.start.match(after) is not None)

    def find_end(self, text: bytes, at: int) -> int:
        """Return where the record ends that begins at a place, behind its line break; -1 where it is torn."""
        is_quoted = False
        while (found := text.find(b"\n", at)) >= 0:
            is_quoted ^= self.has_quotes and text.count(b'"', at, found) % 2 == 1
            at = found + 1
            if not is_quoted:
                return at
        return -1


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file is put aside, and a new one begun."""

    most_bytes: int
    daily: bool
    keep: int
    """How many files that were put aside stay; 0: all."""


class RecordFile:
    """The file, which is open between two batches."""

    def __init__(self, path: Path, form: RecordFormat, rotation: Rotation) -> None:
        """Set up without opening it."""
        self._path = path
        self._form = form
        self._rotation = rotation
        self._file: int | None = None
        self._size = 0
        self._known: set[str] = set()
        """Ids of records at the end, some of which may not be acknowledged."""
        self._is_line_open = False
        """Whether somebody's last line has no line break."""
        self._day = date.min

    def append(self, records: Sequence[Record], today: date) -> None:
        """Append records, each with its id, and have them on the disk; those that are there already are left out.

        Raise OSError: then it may be called again with the same records.
        """
        if not records:
            return
        self._open(today, records)
        new = [record for name, record in records if name not in self._known]
        if not new:
            return
        if len(new) == len(records) and self._is_due(today):  # else the rest would come again in the next file
            self._rotate(self._day if self._rotation.daily else today)
            self._open(today, records)
        data = b"".join(new)
        if self._is_line_open:
            data = b"\n" + data
        if not self._size:
            data = self._form.header + data
        self._write(data)
        self._day = today
        self._known.clear()  # records come in order: none of those that are there comes after a new one

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, data: bytes) -> None:
        assert self._file is not None
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, memoryview(data)[written:])
            os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # what a full disk has left of it; else the next opening finds it
                if os.fstat(self._file).st_size == self._size + written:
                    os.ftruncate(self._file, self._size)
            self.close()
            raise
        if not self._size:
            sync_folder(self._path.parent)
        self._size += written
        self._is_line_open = False

    def _open(self, today: date, records: Sequence[Record]) -> None:
        """Have the file open and whole; again where others have written into it, or have put it aside."""
        if self._file is not None:
            try:
                found = os.stat(self._path)
                if os.path.samestat(found, os.fstat(self._file)) and found.st_size == self._size:
                    return None
            except FileNotFoundError:
                pass
            self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        self._file = os.open(self._path, flags, 0o644)
        try:
            is_ours = self._look_at(self._file, today, records)
        except OSError:
            self.close()
            raise
        if not is_ours:
            self.close()
            self._put_aside()
            return self._open(today, records)
        return None

    def _look_at(self, file: int, today: date, records: Sequence[Record]) -> bool:
        """Find out what is in the file, and mend its end; return False where it is not dogid's. Raise OSError."""
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "It is no file")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # some network file systems have no locks
            pass
        self._size = status.st_size
        self._known = set()
        self._is_line_open = False
        self._day = today
        if not self._size:
            return True
        self._day = date.fromtimestamp(status.st_mtime)  # noqa: DTZ012  # local days
        if not self._form.begins(os.pread(file, _BEGINNING, 0)):
            return False
        self._mend(file, records)
        return True

    def _mend(self, file: int, records: Sequence[Record]) -> None:
        """Cut off what a power cut has left of one of the records, and find out which whole ones are at the end."""
        begin = max(len(self._form.header), self._size - _LOOKED_AT)
        tail = os.pread(file, self._size - begin, begin)
        sound = tail.rstrip(b"\0")  # which file systems put in the place of what was not yet written
        kept = self._read_tail(sound, dict(records))
        if kept < len(tail):
            os.ftruncate(file, begin + kept)
            self._size = begin + kept
        self._is_line_open = kept > 0 and sound[kept - 1] != ord("\n")

    def _read_tail(self, tail: bytes, records: Mapping[str, bytes]) -> int:
        """Note the ids of the whole records of a tail, and return where the first torn one of the given begins."""
        at = 0
        for found in self._form.start.finditer(tail):
            start, name = found.start(), found[1].decode()
            if start < at:  # within the former
                continue
            end = self._form.find_end(tail, start)
            if end >= 0 and tail.find(b"\0", start, end) < 0:
                self._known.add(name)
                at = end
            elif name in records:
                return start
        line = tail[tail.rfind(b"\n") + 1 :]
        is_torn = bool(line) and any(record.startswith(line) for record in records.values())  # before its id ends
        return len(tail) - len(line) if is_torn else len(tail)

    def _is_due(self, today: date) -> bool:
        is_filled = self._size > len(self._form.header)
        return is_filled and (self._size >= self._rotation.most_bytes or (self._rotation.daily and self._day < today))

    def _rotate(self, day: date) -> None:
        """Put the file aside under a day, and delete the oldest beyond those that are kept."""
        self.close()
        stem, suffix = self._path.stem, self._path.suffix
        number = 1
        while os.path.lexists(aside := self._path.with_name(f"{stem}-{day:%Y%m%d}-{number:04d}{suffix}")):
            number += 1
        self._path.rename(aside)
        if self._rotation.keep:
            pattern = re.compile(re.escape(stem) + r"-\d{8}-\d{4,}" + re.escape(suffix))
            found = sorted(path for path in self._path.parent.iterdir() if pattern.fullmatch(path.name))
            for old in [path for path in found if self._is_ours(path)][: -self._rotation.keep]:
                old.unlink(missing_ok=True)

    def _is_ours(self, path: Path) -> bool:
        """Return whether a file that was put aside was written by dogid: people give such names, too."""
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as file:
            return self._form.begins(file.read(_BEGINNING))

    def _put_aside(self) -> None:
        """Give a file of another program, or of an older dogid, a name that no rotation gives, or deletes."""
        name = f"{self._path.stem}-before-dogid"
        number = 1
        while os.path.lexists(aside := self._path.with_name(f"{name}{self._path.suffix}")):
            number += 1
            name = f"{self._path.stem}-before-dogid-{number}"
        self._path.rename(aside)
