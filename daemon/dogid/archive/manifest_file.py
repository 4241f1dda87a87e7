"""An archive as a list of photos: Parquet or CSV with a column of paths or URLs, or a file of lines."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from dogid.archive.entries import Entry, make_entry
from dogid.archive.folder import read_local
from dogid.archive.local_paths import find_path, shorten_path
from dogid.archive.remote import explain_remote_error, find_secret, is_url, open_file_system, unify_spelling
from dogid.archive.remote_folder import LARGEST, read_remote, to_microseconds
from dogid.archive.source import ReadFile
from dogid.errors import PhotoCode, PhotoError, UsageError
from dogid.file_names import possible_names, shown_name

PATH_COLUMNS = ("path", "file", "url", "filename", "key")
"""Names of the column that holds paths; the first of them that is there counts."""
_ROWS = 10_000  # of Parquet at a time; more take more memory
_SHOWN_PROBLEMS = 20


class ManifestFile:
    """A file that names photos. Relative paths are relative to the folder that it lies in.

    Its columns `size` (bytes), `modified_at` or `mtime` (seconds since 1970, or a date) and `etag` are used where there
    are some; else files of this machine are looked at. Of a URL without them, a changed photo is not noticed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._folder = name.rpartition("/")[0]
        self._problems: list[str] = []
        self._more_problems = 0
        self._file_systems: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The path or URL of the manifest."""
        return self._name

    @property
    def root(self) -> str:
        """The folder of the manifest: other lists in it name the same photos by the same paths."""
        return self._folder

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield the photos in the order of the list. Raise UsageError."""
        self._problems, self._more_problems = [], 0
        try:
            with self._open() as file:
                for row in self._read_rows(file):
                    entry = self._describe(row)
                    if entry is not None:
                        yield entry
        except UsageError:
            raise
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else explain_remote_error(error)
            raise UsageError(f"{self._name}: the list of photos cannot be read: {reason}") from error

    def locate(self, file: str) -> str:
        """Return a photo's URL, or its absolute path: a list may have it relative as well.

        Through a link to a folder, a photo has another place. Whether it is there plays no part: photos that have left
        stay apart from those that have come.
        """
        place = self._locate(file)
        if is_url(place):
            return unify_spelling(place)
        return os.fsdecode(shorten_path(os.path.join(os.fsencode(self._folder), possible_names(file)[0])))

    def list_problems(self) -> list[str]:
        """Return the first lines that name no photo, and how many more there are."""
        more = [f"{self._name}: {self._more_problems} lines more"] if self._more_problems else []
        return self._problems + more

    def read(self, entry: Entry, max_bytes: int) -> ReadFile:
        """Read a photo. Raise PhotoError."""
        place = self._locate(entry.file)
        if is_url(place):
            try:
                fs, path = self._file_system(place)
            except UsageError as error:
                raise PhotoError(PhotoCode.UNREADABLE, str(error)) from error
            return read_remote(fs, path, entry, max_bytes)
        path_bytes = find_path(self._folder, entry.file)
        folder, name = os.path.split(path_bytes)
        if not os.path.isdir(folder):
            raise PhotoError(PhotoCode.VANISHED, "there is no such folder")
        return read_local(Path(os.fsdecode(folder)), name, max_bytes)

    def _open(self) -> BinaryIO:
        if is_url(self._name):
            fs, path = open_file_system(self._name)
            opened: BinaryIO = fs.open(path, "rb")
            return opened
        return open(self._name, "rb")

    def _read_rows(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        """Yield each row, with its path as bytes or text under `path`."""
        ending = Path(self._name).suffix.lower()
        if ending == ".parquet":
            yield from self._read_parquet(file)
        elif ending in (".csv", ".tsv"):
            yield from self._read_csv(file, "\t" if ending == ".tsv" else ",")
        else:
            for line in file:
                path = line.rstrip(b"\r\n")
                if path:
                    yield {"path": path}

    def _read_parquet(self, file: BinaryIO) -> Iterator[dict[str, Any]]:
        import pyarrow.parquet as pq

        table = pq.ParquetFile(file, pre_buffer=False)  # as use_threads below: see `parquet_files`
        column = self._find_column(table.schema_arrow.names)
        used = [name for name in (column, "size", "modified_at", "mtime", "etag") if name in table.schema_arrow.names]
        for batch in table.iter_batches(_ROWS, columns=used, use_threads=False):
            for row in batch.to_pylist():
                yield row | {"path": row[column]}

    def _read_csv(self, file: BinaryIO, delimiter: str) -> Iterator[dict[str, Any]]:
        lines = (line.decode("utf-8-sig" if number == 0 else "utf-8", "surrogateescape").replace("\0", "")
                 for number, line in enumerate(file))  # fmt: skip
        rows = self._parse_csv(lines, delimiter)
        names = [name.strip().lower() for name in next(rows, [])]
        column = self._find_column(names)
        for cells in rows:
            row = dict(zip(names, cells, strict=False))
            yield row | {"path": row.get(column, "").encode("utf-8", "surrogateescape")}

    def _parse_csv(self, lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                raise UsageError(
                    f'{self._name}, line {line}: is there a quote (") too many or too few? The row that begins there'
                    f" cannot be read: {error}"
                ) from error
            if cells is None:
                return
            yield cells

    def _find_column(self, names: list[str]) -> str:
        found = next((name for name in PATH_COLUMNS if name in names), None)
        if found is None:
            raise UsageError(
                f"{self._name}: has no column of paths among {', '.join(names[:10]) or 'no columns'}: name it path (or"
                f" {', '.join(PATH_COLUMNS[1:])}) in the first row of a CSV; a list without such a row ends in .txt"
            )
        return found

    def _describe(self, row: dict[str, Any]) -> Entry | None:
        """Return a row's entry; None where it names no photo."""
        path = row["path"]
        if isinstance(path, str):
            path = path.encode("utf-8", "surrogateescape")
        if not isinstance(path, bytes) or not path or b"\0" in path:
            self._note_problem("a line without a path", row)
            return None
        path = self._as_text(path)
        secret = find_secret(path) if is_url(path) else None
        if secret is not None:
            raise UsageError(f"{self._name}: {secret}")
        size, etag = _to_int(row.get("size")), row.get("etag") or None
        date = row.get("modified_at") if row.get("modified_at") is not None else row.get("mtime")
        modified_us = to_microseconds(_to_number(date))
        if (size is None and row.get("size") not in (None, "")) or (modified_us is None and date not in (None, "")):
            self._note_problem("a size or a date that is none", row)
        if size is None and modified_us is None and etag is None and not is_url(self._locate(path)):
            return _look_at(path, find_path(self._folder, path))
        return make_entry(path, size, modified_us, None if etag is None else str(etag))

    def _note_problem(self, problem: str, row: dict[str, Any]) -> None:
        if len(self._problems) < _SHOWN_PROBLEMS:
            self._problems.append(f"{self._name}: {problem}: {str(row)[:100]}")
        else:
            self._more_problems += 1

    def _as_text(self, path: bytes) -> str:
        """Return a path as dogid shows it, in one spelling.

        What a list has may be the bytes of a name, or what dogid has shown of another: where both can be meant, it is
        the file that is there.
        """
        if not is_url(path[:20].decode(errors="replace")):
            path = path if is_url(self._folder) else shorten_path(path, os.fsencode(self._folder))
        shown = shown_name(path)
        try:
            text = path.decode()
        except UnicodeDecodeError:
            return shown
        if shown == text or self._is_remote(text) or not os.path.lexists(os.path.join(os.fsencode(self._folder), path)):
            return text
        return shown

    def _is_remote(self, file: str) -> bool:
        return is_url(self._locate(file))

    def _locate(self, file: str) -> str:
        return file if is_url(file) or not is_url(self._folder) else f"{self._folder}/{file}"

    def _file_system(self, url: str) -> tuple[Any, str]:
        server = "/".join(url.split("/", 3)[:3])  # with the account, which may be another for each
        if server not in self._file_systems:
            self._file_systems[server] = open_file_system(url)[0]
        fs = self._file_systems[server]
        return fs, str(fs._strip_protocol(url))


def _look_at(file: str, path: bytes) -> Entry:
    """Return the entry of a file of this machine as it is now; without a size where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return make_entry(file)
    return make_entry(file, status.st_size, status.st_mtime_ns // 1000)


def _to_int(value: Any) -> int | None:
    try:
        number = None if value in (None, "") else int(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return number if number is not None and 0 <= number <= LARGEST else None


def _to_number(value: Any) -> Any:
    """Return a text of digits as a number, and all else as it is."""
    try:
        return float(value) if isinstance(value, str) and value else value
    except ValueError:
        return value
