"""Large files that appear whole or not at all, several together."""

import contextlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from dogid.system.atomic_files import sync_folder


class WholeFiles:
    """Files of one folder, written beside their places under other names, that take their places all at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[tuple[TextIO, Path, Path]] = []

    def __enter__(self) -> Self:
        """Make the folder where it is missing. Raise OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def open(self, name: str) -> TextIO:
        """Return a new text file, in UTF-8 and with line breaks as they are written. Raise OSError."""
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{name[:100]}.", suffix=".part")
        file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._files.append((file, Path(temporary), self._folder / name))
        return file

    def commit(self) -> None:
        """Let all files take their places, once they are whole on the disk. Raise OSError."""
        for file, _, _ in self._files:
            file.flush()
            os.fsync(file.fileno())
        for file, temporary, final in self._files:
            file.close()
            temporary.chmod(final.stat().st_mode & 0o777 if final.exists() else 0o666 & ~_umask())
            temporary.replace(final)
        self._files.clear()
        sync_folder(self._folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete what has not taken its place."""
        for file, temporary, _ in self._files:
            with contextlib.suppress(OSError):  # of a full disk: the file goes anyway
                file.close()
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
