"""The manifest: what a listing found, as Parquet files of so many rows each, which engines go by.

A listing takes the place of the former one when it is complete: `manifest/current.json` names the folder of the one
that counts.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dogid.archive.entries import Entry, hash_path
from dogid.archive.parquet_files import encode_table, read_table
from dogid.archive.storage import Storage
from dogid.errors import DogidError

RANGE = 10_000
"""Entries of a file, which is the work that an engine hands out at once. With fewer, ten million photos make more than
a thousand files; with more, the last of them keep one worker busy while others have none."""
MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("size", pa.int64(), metadata={"unit": "bytes"}),
        pa.field("modified_us", pa.int64(), metadata={"unit": "microseconds since 1970, UTC"}),
        pa.field("etag", pa.string()),
    ]
)
_FOLDER = "manifest"
_POINTER = f"{_FOLDER}/current.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A complete listing in an output folder."""

    storage: Storage
    rows: int
    files: tuple[str, ...]
    """Names in the storage of its Parquet files, in the order of the listing."""

    def iterate_ranges(self) -> Iterator[list[Entry]]:
        """Yield the entries file by file."""
        return map(self.read_range, self.files)

    def read_range(self, name: str) -> list[Entry]:
        """Return the entries of one of the files."""
        table = read_table(self.storage, name)
        columns = (table.column(column).to_pylist() for column in Entry._fields)
        return [Entry(*values) for values in zip(*columns, strict=True)]

    def read_ids_of(self, name: str) -> NDArray[np.int64]:
        """Return the ids of the entries of one of the files, in its order."""
        ids: NDArray[np.int64] = read_table(self.storage, name, ["id"]).column(0).to_numpy()
        return ids

    def read_ids(self) -> NDArray[np.int64]:
        """Return the ids of all entries, sorted: 8 bytes each."""
        ids: NDArray[np.int64] = np.sort(np.concatenate([np.empty(0, np.int64), *map(self.read_ids_of, self.files)]))
        return ids


def write_manifest(
    storage: Storage,
    token: str,
    entries: Iterable[Entry],
    on_listed: Callable[[int], None] = lambda _: None,
    *,
    locate: Callable[[str], str] = str,
) -> Manifest:
    """Write a listing under a token of its own, and let it take the place of the former one once it is complete.

    A photo that comes twice is written once: the first counts. on_listed is called with how many were listed so
    far. locate: of the source of the entries, as `Source.locate`. Raise OSError.
    """
    folder = f"{_FOLDER}/{token}"
    files: list[str] = []
    ids: list[NDArray[np.int64]] = []
    places: list[NDArray[np.int64]] = []
    rows: list[Entry] = []
    count = 0

    def flush() -> None:
        files.append(f"{folder}/{len(files):06d}.parquet")
        ids.append(np.fromiter((entry.id for entry in rows), np.int64, len(rows)))
        places.append(np.fromiter((hash_path(locate(entry.file)) for entry in rows), np.int64, len(rows)))
        storage.write(files[-1], _encode(rows))
        rows.clear()

    for entry in entries:
        rows.append(entry)
        count += 1
        if len(rows) == RANGE:
            flush()
            on_listed(count)
    if rows:
        flush()
        on_listed(count)
    manifest = Manifest(storage, count, tuple(files))
    repeated, repeated_places = _find_repeated(ids), _find_repeated(places)
    if len(repeated) or len(repeated_places):
        manifest = _rewrite_repeated(manifest, repeated, set(repeated_places.tolist()), locate)
    document = {"folder": token, "rows": manifest.rows, "files": len(files)}
    storage.write(_POINTER, json.dumps(document).encode())
    for name in storage.list_names(_FOLDER):
        if name not in (_POINTER, folder):
            storage.delete(name)
    return manifest


def read_manifest(storage: Storage) -> Manifest | None:
    """Return the listing that counts; None where there is none. Raise DogidError where it is damaged."""
    data = storage.read(_POINTER)
    if data is None:
        return None
    try:
        document = json.loads(data)
        token, rows, count = document["folder"], int(document["rows"]), int(document["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise DogidError(f"{storage.title}/{_POINTER} is damaged; delete it, and run dogid batch again") from error
    return Manifest(storage, rows, tuple(f"{_FOLDER}/{token}/{number:06d}.parquet" for number in range(count)))


def _encode(entries: list[Entry]) -> bytes:
    columns: list[tuple[Any, ...]] = list(zip(*entries, strict=True)) or [() for _ in MANIFEST_SCHEMA]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, MANIFEST_SCHEMA, strict=True)]
    return encode_table(pa.Table.from_arrays(arrays, schema=MANIFEST_SCHEMA))


def _find_repeated(ids: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the ids that come more than once, sorted."""
    if not ids:
        return np.empty(0, np.int64)
    every = np.sort(np.concatenate(ids))
    repeated: NDArray[np.int64] = np.unique(every[1:][every[1:] == every[:-1]])
    return repeated


def _rewrite_repeated(
    manifest: Manifest, repeated: NDArray[np.int64], repeated_places: set[int], locate: Callable[[str], str]
) -> Manifest:
    """Leave out photos that come again, and give another id to photos with the id of another one."""
    places: set[str] = set()
    seen: dict[int, str] = {}
    watched = set(repeated.tolist())
    total = 0
    for name, entries in zip(manifest.files, manifest.iterate_ranges(), strict=True):
        kept = []
        for entry in entries:
            place = locate(entry.file)
            if hash_path(place) in repeated_places:
                if place in places:
                    continue
                places.add(place)
            number = entry.id
            while number in watched and seen.get(number, entry.file) != entry.file:
                number += 1  # another photo's: the listing of the next run comes to the same
                watched.add(number)
            if number in watched:
                seen[number] = entry.file
            kept.append(entry._replace(id=number))
        total += len(kept)
        if len(kept) < len(entries) or kept != entries:
            manifest.storage.write(name, _encode(kept))
    return Manifest(manifest.storage, total, manifest.files)
