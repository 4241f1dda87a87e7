"""The inbox of a soak, as its users keep it: what lies there now, by their own bookkeeping."""

import ctypes
import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.books import Books
from tests.soak.contents import Content, Contents

_FOLDERS = ("", "front/", "yard/", "yard/night/")
_LATEST = "latest.jpg"
_MOST_LINKS = 4  # names of one file
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # fcntl.h, linux/fs.h


@dataclass(slots=True)
class Folder:
    """Files by name with their content. Each change is made on the disk and in the books under one lock."""

    inbox: Path
    archive: Path
    """A folder beside the inbox, on the same disk."""
    random: random.Random
    contents: Contents = field(default_factory=Contents)
    books: Books = field(default_factory=Books)
    files: dict[str, Content] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)
    """Names to all names of the same file, where it has several; each has the same set."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    """How many changes of each kind there were."""

    def prepare(self) -> None:
        """Make the sub-folders."""
        self.archive.mkdir(exist_ok=True)
        for name in _FOLDERS:
            (self.inbox / name).mkdir(exist_ok=True)

    def add(self) -> None:
        """Add a photo as a sync program does (temporary name, then renamed) or as a copy does (in two pieces)."""
        with self._change("added"):
            self._put(self._new_name(), self.contents.make())

    def add_large(self) -> None:
        """Add a photo that keeps a worker busy."""
        with self._change("large"):
            self._put(self._new_name("large"), self.contents.make_large())

    def add_burst(self, count: int) -> None:
        """Add many photos at once, so that some wait in the daemon's queue while they are changed."""
        for _ in range(count):
            self.add()

    def overwrite(self) -> None:
        """Give a name another content: in place, in place with the date before, or by a rename over it."""
        with self._change("overwritten"):
            name, content = self._pick(), self.contents.make()
            if name is not None:
                has_same_size = len(self.files[name].data) == len(content.data)
                self._put(name, content, keep_date=has_same_size and self.random.random() < 0.5)

    def rename(self) -> None:
        """Give a photo another name."""
        with self._change("renamed"):
            name = self._pick()
            if name is not None:
                self._move(name, self._new_name("renamed"))

    def exchange(self) -> None:
        """Have two photos exchange their names in one step."""
        with self._change("exchanged"):
            one, other = self._pick(), self._pick()
            if one is None or other is None or self.links.get(one, {one}) & self.links.get(other, {other}):
                return
            contents = self.files[one], self.files[other]
            self.books.comes(one, contents[1])
            self.books.comes(other, contents[0])
            _exchange(self.inbox / one, self.inbox / other)
            self.books.goes(one, contents[0])
            self.books.goes(other, contents[1])
            self.files[one], self.files[other] = contents[1], contents[0]
            names = self._unlink(one), self._unlink(other)
            self._link(names[1], one)
            self._link(names[0], other)

    def link(self) -> None:
        """Give a photo one more name."""
        with self._change("linked"):
            name = self._pick()
            if name is None or len(self.links.get(name, ())) >= _MOST_LINKS:
                return
            target = self._new_name("link")
            self.books.comes(target, self.files[name])
            os.link(self.inbox / name, self.inbox / target)
            self.files[target] = self.files[name]
            self._link(self.links.get(name, {name}), target)

    def rotate(self) -> None:
        """Do as a camera does: keep the latest photo under a number, or archive it, and write the next one."""
        with self._change("rotated"):
            if _LATEST in self.files and self.random.random() < 0.3:
                self._archive(self._move(_LATEST, self._new_name("archived")))
            elif _LATEST in self.files:
                self._move(_LATEST, self._new_name("latest"))
            self._put(_LATEST, self.contents.make())

    def delete_down_to(self, most: int) -> None:
        """Delete photos until at most so many are left."""
        with self.lock:
            while len(self.files) > most:
                name = self._pick()
                assert name is not None
                (self.inbox / name).unlink()
                self._forget(name)
                self.changes["deleted"] = self.changes.get("deleted", 0) + 1

    @contextmanager
    def _change(self, kind: str) -> Iterator[None]:
        with self.lock:
            yield
            self.changes[kind] = self.changes.get(kind, 0) + 1

    def _new_name(self, kind: str = "") -> str:
        self.made += 1
        return f"{self.random.choice(_FOLDERS)}{self.made:06}{kind and '-'}{kind}.jpg"

    def _pick(self) -> str | None:
        return self.random.choice(list(self.files)) if self.files else None

    def _put(self, name: str, content: Content, *, keep_date: bool = False) -> None:
        """Write a file as different programs do. In place, its other names get the content, too."""
        in_place = keep_date or self.random.random() < 0.5
        if not in_place:
            self._unlink(name)
        names = self.links.get(name, {name})
        for each in names:
            self.books.comes(each, content)
        path = self.inbox / name
        if keep_date:
            _write_dated(path, content.data)
        elif in_place:
            _write_in_place(path, content.data)
        else:
            _replace(path, content.data)
        for each in names:
            former = self.files.get(each)
            if former is not None:
                self.books.goes(each, former)
            self.files[each] = content

    def _move(self, name: str, target: str) -> str:
        content = self.files[name]
        self.books.comes(target, content)
        os.rename(self.inbox / name, self.inbox / target)
        self._link(self.links.get(name, set()), target)
        self._forget(name)
        self.files[target] = content
        return target

    def _archive(self, name: str) -> None:
        os.rename(self.inbox / name, self.archive / Path(name).name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        self.books.goes(name, self.files.pop(name))
        self._unlink(name)

    def _link(self, names: set[str], name: str) -> None:
        """Note that a name is one more of a file with these names."""
        if names:
            names.add(name)
            self.links |= dict.fromkeys(names, names)

    def _unlink(self, name: str) -> set[str]:
        """Note that a name is no longer one of its file's; return the others, where there were several."""
        names = self.links.pop(name, set())
        names.discard(name)
        return names


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def _write_in_place(path: Path, data: bytes) -> None:
    with path.open("wb", buffering=0) as file:
        half = len(data) // 2
        file.write(data[:half])
        file.write(data[half:])


def _write_dated(path: Path, data: bytes) -> None:
    """Overwrite a file, and give it the date that it had."""
    dates = path.stat()
    with path.open("r+b", buffering=0) as file:
        file.write(data)
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))


def _exchange(one: Path, other: Path) -> None:
    """Exchange two files by renameat2(2), which Python does not offer."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
