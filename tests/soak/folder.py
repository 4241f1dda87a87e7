"""The inbox of a soak, as its users keep it: what lies there now, by their own bookkeeping."""

import os
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.contents import Content, Contents

_FOLDERS = ("", "front/", "yard/", "yard/night/")


@dataclass(slots=True)
class Folder:
    """Files by name with their content. Each change is made on the disk and in the books under one lock."""

    inbox: Path
    random: random.Random
    contents: Contents = field(default_factory=Contents)
    files: dict[str, Content] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    made: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    """How many changes of each kind there were."""

    def prepare(self) -> None:
        """Make the sub-folders."""
        for name in _FOLDERS:
            (self.inbox / name).mkdir(exist_ok=True)

    def add(self) -> None:
        """Add a photo as a sync program does (temporary name, then renamed) or as a copy does (in two pieces)."""
        content = self.contents.make()
        with self.lock:
            self.made += 1
            name = f"{self.random.choice(_FOLDERS)}{self.made:06}.jpg"
            if self.random.random() < 0.5:
                self._replace(name, content)
            else:
                self._write_in_place(name, content)
            self._note("added", name, content)

    def overwrite(self) -> None:
        """Give a name another content: in place, or by a rename over it."""
        content = self.contents.make()
        with self.lock:
            name = self._pick()
            if name is None:
                return
            if self.random.random() < 0.5:
                self._replace(name, content)
            else:
                self._write_in_place(name, content)
            self._note("overwritten", name, content)

    def rename(self) -> None:
        """Give a photo another name."""
        with self.lock:
            name = self._pick()
            if name is None:
                return
            self.made += 1
            target = f"{self.random.choice(_FOLDERS)}{self.made:06}-renamed.jpg"
            os.rename(self.inbox / name, self.inbox / target)
            self._note("renamed", target, self.files.pop(name))

    def delete_down_to(self, most: int) -> None:
        """Delete photos until at most so many are left."""
        with self.lock:
            while len(self.files) > most:
                name = self._pick()
                assert name is not None
                (self.inbox / name).unlink()
                del self.files[name]
                self.changes["deleted"] = self.changes.get("deleted", 0) + 1

    def _pick(self) -> str | None:
        return self.random.choice(list(self.files)) if self.files else None

    def _note(self, kind: str, name: str, content: Content) -> None:
        self.files[name] = content
        self.changes[kind] = self.changes.get(kind, 0) + 1

    def _replace(self, name: str, content: Content) -> None:
        path = self.inbox / name
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(content.data)
        os.replace(temporary, path)

    def _write_in_place(self, name: str, content: Content) -> None:
        with (self.inbox / name).open("wb", buffering=0) as file:
            half = len(content.data) // 2
            file.write(content.data[:half])
            file.write(content.data[half:])
