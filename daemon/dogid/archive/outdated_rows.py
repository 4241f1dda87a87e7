"""Deleting rows of photos that are to be classified again, so that no photo has two."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dogid.archive.entries import hash_path
from dogid.archive.manifest import Manifest
from dogid.archive.output_folder import Ids, OutputFolder, codes_of, is_among
from dogid.archive.parquet_files import encode_table, read_table
from dogid.archive.schema import RETRIED

_TOO_LARGE = "too_large"


def drop_outdated(
    output: OutputFolder, manifest: Manifest, *, raised_limits: bool, locate: Callable[[str], str] = str
) -> int:
    """Delete rows of photos that are to be classified again, so that no photo has two; return how many.

    They are former versions of photos in the manifest, also under another spelling of their paths, what failed by an
    error that may have passed, and, with raised_limits, what was too large. Rows of files that are no longer listed
    stay. locate: of the source, as `Source.locate`.
    """
    listed = manifest.read_ids()
    again = pa.array([*RETRIED, *((_TOO_LARGE,) if raised_limits else ())])
    every: list[Ids] = [np.empty(0, np.int64)]
    dropped: dict[str, NDArray[np.bool_]] = {}
    unlisted: dict[str, Ids] = {}
    for name in output.list_parts():
        table = read_table(output.storage, name, ["id", "error"])
        ids: Ids = table.column("id").to_numpy()
        is_listed = is_among(ids, listed)
        drop = pc.is_in(codes_of(table), again).to_numpy() & is_listed
        every.append(ids)
        if drop.any():
            dropped[name] = drop
        if not is_listed.all():
            unlisted[name] = _hash_places(output, name, ~is_listed, locate)
    _drop_repeated(dict(zip(output.list_parts(), every[1:], strict=True)), np.concatenate(every), dropped)
    if unlisted:
        former = np.unique(np.concatenate(list(unlisted.values())))
        present = _find_places(manifest, former, locate)
        for name, hashes in unlisted.items():
            drop = (hashes != 0) & is_among(hashes, present)
            if drop.any():
                dropped[name] = dropped.get(name, np.zeros(len(drop), bool)) | drop
    for name, drop in dropped.items():
        _rewrite(output, name, ~drop)
    return sum(int(drop.sum()) for drop in dropped.values())


def _hash_places(output: OutputFolder, name: str, wanted: NDArray[np.bool_], locate: Callable[[str], str]) -> Ids:
    """Return the hashes of the places of rows of a part file; 0 for those that are not wanted."""
    paths = read_table(output.storage, name, ["file"]).column("file").filter(pa.array(wanted)).to_pylist()
    hashes = np.zeros(len(wanted), np.int64)
    hashes[wanted] = [hash_path(locate(path)) for path in paths]
    return hashes


def _rewrite(output: OutputFolder, name: str, kept: NDArray[np.bool_]) -> None:
    if not kept.any():
        output.storage.delete(name)
        return
    table = read_table(output.storage, name).filter(pa.array(kept))
    output.storage.write(name, encode_table(table))


def _drop_repeated(parts: dict[str, Ids], every: Ids, dropped: dict[str, NDArray[np.bool_]]) -> None:
    """Add to dropped all but the first of rows with one id; every has the ids of all parts."""
    every = np.sort(every)
    repeated = np.unique(every[1:][every[1:] == every[:-1]])
    if not len(repeated):
        return  # as always, unless two runs wrote at once
    seen: set[int] = set()
    for name, ids in parts.items():
        drop = dropped.get(name, np.zeros(len(ids), bool))
        for at in np.flatnonzero(is_among(ids, repeated) & ~drop).tolist():
            if int(ids[at]) in seen:
                drop[at] = True
            seen.add(int(ids[at]))
        if drop.any():
            dropped[name] = drop


def _find_places(manifest: Manifest, hashes: Ids, locate: Callable[[str], str]) -> Ids:
    """Return those of hashes of places, sorted, whose photos are in a manifest."""
    found: list[Ids] = [np.empty(0, np.int64)]
    for entries in manifest.iterate_ranges():
        here = np.fromiter((hash_path(locate(entry.file)) for entry in entries), np.int64, len(entries))
        found.append(here[is_among(here, hashes)])
    return np.unique(np.concatenate(found))
