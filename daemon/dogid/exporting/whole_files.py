"""Large files that appear whole or not at all; of several, none does before all are whole."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from dogid.system.atomic_files import set_permissions, sync_folder


class PartlyWrittenError(OSError):
    """Some files have taken their places, and the next one could not."""

    def __init__(self, reason: str, written: list[str]) -> None:
        """Note why, and the names of those that have."""
        super().__init__(reason)
        self.written = written


class WholeFiles:
    """Files of one folder, written beside their places under other names, that take them once all are whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[tuple[TextIO, Path, Path]] = []
        self._is_new = False

    def __enter__(self) -> Self:
        """Make the folder where it is missing. Raise OSError."""
        self._is_new = not self._folder.exists()
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def open(self, name: str) -> TextIO:
        """Return a new text file, in UTF-8 and with line breaks as they are written. Raise OSError."""
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{name[:100]}.", suffix=".part")
        file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
        self._files.append((file, Path(temporary), self._folder / name))
        return file

    def commit(self) -> None:
        """Let the files take their places in the order they were opened in, once all are whole on the disk.

        Raise OSError where none has taken its place, PartlyWrittenError where some have.
        """
        for file, _, final in self._files:
            file.flush()
            os.fsync(file.fileno())
            if final.is_dir():
                raise IsADirectoryError(errno.EISDIR, f"{final.name} is a folder")
        written: list[str] = []
        for file, temporary, final in self._files:
            try:
                file.close()
                set_permissions(temporary, final.stat().st_mode & 0o777 if final.exists() else 0o666 & ~_umask())
                temporary.replace(final)
            except OSError as error:
                if not written:
                    raise
                raise PartlyWrittenError(f"{final.name}: {error.strerror}", written) from error
            written.append(final.name)
        self._files.clear()
        sync_folder(self._folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete what has not taken its place, and the folder where it was made for that."""
        for file, temporary, _ in self._files:
            with contextlib.suppress(OSError):  # of a full disk: the file goes anyway
                file.close()
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if self._is_new and error is not None:
            with contextlib.suppress(OSError):  # it is not empty
                self._folder.rmdir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
