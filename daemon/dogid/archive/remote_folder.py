"""An archive in a bucket, or in any other file system that fsspec knows."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dogid.archive.entries import Entry, make_entry
from dogid.archive.remote import explain_remote_error, open_file_system, read_at_most, unify_spelling
from dogid.archive.source import ReadFile
from dogid.errors import PhotoCode, PhotoError, UsageError
from dogid.inbox.ignored_names import is_ignored, is_ignored_path

LARGEST = (1 << 63) - 1
"""Number that a column has room for."""
PAGE = 1_000
"""Objects that are listed by one request; S3 gives no more."""
_DATES = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
"""Keys under which file systems give a file's date, the most exact first."""


class RemoteFolder:
    """A folder of a remote file system with all that is below it."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._fs, self._root = open_file_system(self._url)
        self._problems: list[str] = []

    @property
    def name(self) -> str:
        """The URL."""
        return self._url

    @property
    def root(self) -> str:
        """The URL."""
        return self._url

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield the files below the URL but for ignored names, a page or a folder at a time. Raise UsageError."""
        self._problems = []
        try:
            yield from self._list_objects() if hasattr(self._fs, "call_s3") else self._list_folders()
        except UsageError:
            raise
        except Exception as error:  # each file system has its own
            raise UsageError(f"{self._url}: cannot be listed: {explain_remote_error(error)}") from error

    def locate(self, file: str) -> str:
        """Return a path relative to the URL: results of a list there may have the whole URL."""
        return unify_spelling(file).removeprefix(f"{unify_spelling(self._url)}/")

    def list_problems(self) -> list[str]:
        """Return the folders that could not be read."""
        return self._problems

    def read(self, entry: Entry, max_bytes: int) -> ReadFile:
        """Read a photo. Raise PhotoError."""
        return read_remote(self._fs, f"{self._root}/{entry.file}", entry, max_bytes)

    def _list_objects(self) -> Iterator[Entry]:
        """Yield all objects with the URL's prefix, by pages of a thousand: one prefix may hold millions."""
        bucket, _, prefix = self._root.partition("/")
        prefix = f"{prefix}/" if prefix else ""
        token: dict[str, str] = {}
        while True:
            page = self._fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=PAGE, **token)
            for item in page.get("Contents", ()):
                file = item["Key"][len(prefix) :]
                if file and not file.endswith("/") and not is_ignored_path(file.encode()):
                    yield make_entry(file, item["Size"], to_microseconds(item["LastModified"]), item.get("ETag"))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def _list_folders(self) -> Iterator[Entry]:
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            try:
                found = self._fs.ls(folder, detail=True)
            except Exception as error:  # each file system has its own
                if folder == self._root:
                    raise
                self._problems.append(f"{folder}: {explain_remote_error(error)}")
                continue
            for info in found:
                path = str(info["name"]).rstrip("/")
                if path == folder or is_ignored(path.rpartition("/")[2].encode()):
                    continue
                if info["type"] == "directory":
                    waiting.append(path)
                else:
                    yield describe(path[len(self._root) + 1 :], info)


def describe(file: str, info: dict[str, Any]) -> Entry:
    """Return the entry of a file by what fsspec says of it."""
    date = next((info[key] for key in _DATES if info.get(key) is not None), None)
    etag = info.get("ETag") or info.get("etag")
    return make_entry(file, info.get("size"), to_microseconds(date), None if etag is None else str(etag))


def to_microseconds(date: object) -> int | None:
    """Return a date as file systems give it in microseconds since 1970; None where it is none."""
    try:
        if isinstance(date, str):
            date = datetime.fromisoformat(date)
        if isinstance(date, datetime):
            date = date.timestamp()
        found = round(date * 1_000_000) if isinstance(date, int | float) else None
    except (ValueError, OverflowError, OSError):  # no number, or no year that there can be
        return None
    return found if found is not None and abs(found) <= LARGEST else None


def read_remote(fs: Any, path: str, entry: Entry, max_bytes: int) -> ReadFile:
    """Read a file of one of fsspec's file systems, by one request. Raise PhotoError."""
    try:
        if entry.size is not None and entry.size > max_bytes:
            raise PhotoError(PhotoCode.TOO_LARGE, f"{entry.size} bytes; at most {max_bytes} are read (max_bytes)")
        data = read_at_most(fs, path, max_bytes + 1)  # a list may give another size than the file has
    except (FileNotFoundError, IsADirectoryError) as error:
        raise PhotoError(PhotoCode.VANISHED, "the file was removed before it could be read") from error
    except PhotoError:
        raise
    except (TimeoutError, Exception) as error:  # each file system has its own
        raise PhotoError(PhotoCode.UNREADABLE, explain_remote_error(error)) from error
    if len(data) > max_bytes:
        raise PhotoError(PhotoCode.TOO_LARGE, f"{len(data)} bytes or more; at most {max_bytes} are read (max_bytes)")
    return ReadFile(data, len(data), entry.modified_us)
