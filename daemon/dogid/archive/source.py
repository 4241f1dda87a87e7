"""What an archive is read from, whatever kind of place its photos lie in."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from dogid.archive.entries import Entry


class ReadFile(NamedTuple):
    """The bytes of an entry, and of when they are."""

    data: bytes
    size: int
    modified_us: int | None
    """Microseconds since 1970; None where the file system does not say."""


class Source(Protocol):
    """An archive's photos. Made anew in each process from its `name` alone."""

    @property
    def name(self) -> str:
        """The absolute path or URL by which `open_source` makes it again, on any node that sees it."""

    @property
    def root(self) -> str:
        """What the files of entries are relative to: two sources with one root name the same photos."""

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield the photos, in bounded memory. Raise UsageError where that cannot be read at all."""

    def locate(self, file: str) -> str:
        """Return the place of an entry's file: one and the same for all spellings that the source has for it."""

    def list_problems(self) -> list[str]:
        """Return what the last listing could not read: each names a folder or a line, and the reason."""

    def read(self, entry: Entry, max_bytes: int) -> ReadFile:
        """Read a photo of at most max_bytes bytes. Raise PhotoError: vanished, unreadable, too_large, unsupported."""
