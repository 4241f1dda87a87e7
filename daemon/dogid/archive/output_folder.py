"""The output folder: a header, the manifest, and the results as part files that appear whole or not at all.

OUT/dogid-batch.json                 header: model, source, limits
OUT/manifest/current.json, ...       what the last listing found
OUT/results/*.parquet                results, one row for each photo; every tool that reads Parquet reads them
"""

import contextlib
import dataclasses
import itertools
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dogid.archive.entries import Entry
from dogid.archive.header import Header, check_agreement, read_header, write_header
from dogid.archive.manifest import Manifest
from dogid.archive.parquet_files import count_table_rows, encode_table, read_table
from dogid.archive.schema import Row, schema, table_of
from dogid.archive.storage import LocalStorage, Storage, open_storage
from dogid.errors import DogidError, UsageError
from dogid.system.file_lock import holding_file_lock

RESULTS = "results"
_CLAIM = ".run"
Ids = NDArray[np.int64]


@dataclass(slots=True)
class Done:
    """What an output folder has already."""

    ids: Ids
    """Of the entries that have a row, sorted."""
    classified: int
    errors: Counter[str]
    """Failed ones by their code."""


class OutputFolder:
    """An output folder that results may be added to: by any engine, also by several runs one after the other."""

    def __init__(self, storage: Storage, header: Header) -> None:
        """Use `opening_output`."""
        self.storage = storage
        self.header = header
        self.schema = schema(header.model, embeddings=header.embeddings)
        """Of the part files."""
        self.token = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        """Of this run: in the names of what it writes."""
        self._written = 0

    @property
    def title(self) -> str:
        """Its path or URL."""
        return self.storage.title

    def write_rows(self, rows: list[Row]) -> str:
        """Write rows as a new part file, and return its name. Raise OSError: then there is no part of it."""
        return self.write_table(table_of(rows, self.schema))

    def write_table(self, table: pa.Table) -> str:
        """The same with a table of `schema`."""
        name = f"{RESULTS}/{self.token}-{self._written:06d}.parquet"
        self.storage.write(name, encode_table(table))
        self._written += 1
        return name

    def claim(self) -> None:
        """Note that the folder is this run's from now on: what is left of another one adds nothing. Raise OSError."""
        self.storage.write(_CLAIM, self.token.encode())

    def note_limits(self, limits: dict[str, float]) -> None:
        """Note the limits of this run, once photos that exceeded lower ones have lost their rows. Raise OSError."""
        if self.header.limits != limits:
            self.header = dataclasses.replace(self.header, limits=limits)
            write_header(self.storage, self.header)

    def read_codes(self, name: str) -> list[str | None]:
        """Return the codes of errors of a part file's rows, None for classified photos. Raise DogidError."""
        codes: list[str | None] = codes_of(read_table(self.storage, name, ["error"])).to_pylist()
        return codes

    def list_parts(self) -> list[str]:
        """Return the names of the part files."""
        return [name for name in self.storage.list_names(RESULTS) if name.endswith(".parquet")]

    def count_rows(self) -> int:
        """Return how many rows the part files have. Raise DogidError where one is damaged."""
        return sum(count_table_rows(self.storage, name) for name in self.list_parts())

    def read_done(self, listed: Ids) -> Done:
        """Return which of listed, sorted ids have a row. Raise DogidError where a part file is damaged."""
        ids: list[Ids] = [np.empty(0, np.int64)]
        classified, errors = 0, Counter[str]()
        for name in self.list_parts():
            table = read_table(self.storage, name, ["id", "error"])
            table = table.filter(pa.array(is_among(table.column("id").to_numpy(), listed)))
            codes = codes_of(table)
            ids.append(table.column("id").to_numpy())
            for pair in pc.value_counts(codes.drop_null()).to_pylist():
                errors[pair["values"]] += pair["counts"]
            classified += codes.null_count
        return Done(np.unique(np.concatenate(ids)), classified, errors)


@contextlib.contextmanager
def opening_output(place: str, header: Header) -> Iterator[tuple[OutputFolder, bool]]:
    """Open an output folder, or begin one; yield it, and whether a limit was raised since its last run.

    Other runs on this machine are kept from it while the context lasts. The header's limits are still those of the run
    before: `OutputFolder.note_limits`. Raise UsageError where one has it, or it has other files, or results of another
    schema, model or source.
    """
    storage = open_storage(place)
    with _explain_refusal(storage):
        _check_header(storage, header)  # before anything is written there
    with locking(storage):
        with _explain_refusal(storage):
            before = _check_header(storage, header)
            if before is None:
                write_header(storage, header)
        limits = header.limits if before is None else before.limits
        raised = any(value > limits.get(name, value) or (value == 0 != limits.get(name, 0))
                     for name, value in header.limits.items())  # fmt: skip
        yield OutputFolder(storage, before or header), raised


def _check_header(storage: Storage, header: Header) -> Header | None:
    """Return the header that a folder has; None where it is empty. Raise UsageError where results are others."""
    before = read_header(storage)
    if before is None:
        _check_empty(storage)
    else:
        check_agreement(storage.title, before, header)
    return before


@contextlib.contextmanager
def _explain_refusal(storage: Storage) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{storage.title}: cannot be written: {error.strerror or error}; name another folder"
        ) from error


def read_token(storage: Storage) -> str | None:
    """Return the token of the run that an output folder belongs to; None where this is no such folder."""
    data = storage.read(_CLAIM)
    return None if data is None else data.decode()


def check_claim(storage: Storage, token: str) -> None:
    """Raise DogidError where another run than that of a token has taken over the folder: it writes the same rows."""
    if read_token(storage) != token:
        raise DogidError(
            f"{storage.title}: another dogid batch writes into it now, and this one has ended; what it had written is"
            " kept"
        )


def read_output(place: str) -> OutputFolder:
    """Open an output folder for reading. Raise UsageError where it is none."""
    storage = open_storage(place)
    try:
        header = read_header(storage)
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror or error}") from error
    if header is None:
        raise UsageError(f"{place}: there are no results of `dogid batch` here (dogid-batch.json is missing)")
    return OutputFolder(storage, header)


@contextlib.contextmanager
def locking(storage: Storage) -> Iterator[None]:
    """Keep other runs on this machine from the folder while the context lasts. Raise UsageError where one has it."""
    if not isinstance(storage, LocalStorage):
        yield
        return
    path = storage.folder / ".lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(holding_file_lock(path))
        except BlockingIOError:
            raise UsageError(f"{storage.title}: another dogid batch writes into it; wait until it has ended") from None
        except OSError as error:
            raise UsageError(f"{storage.title}: cannot be written: {error.strerror or error}") from error
        yield


def notes_folder(output: OutputFolder) -> Path | None:
    """Return a folder for notes of one process that works on this machine; None where the folder is a remote one."""
    if not isinstance(output.storage, LocalStorage):
        return None
    folder = output.storage.folder / ".in-progress"
    folder.mkdir(exist_ok=True)
    return folder


def is_among(ids: Ids, among: Ids) -> NDArray[np.bool_]:
    """Return for each of ids whether it is in among, which is sorted."""
    if not len(among):
        return np.zeros(len(ids), bool)
    at = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    found: NDArray[np.bool_] = among[at] == ids
    return found


def iterate_missing(manifest: Manifest, done: Ids) -> Iterator[Entry]:
    """Yield the entries of a manifest whose ids are not among done, which is sorted."""
    for name in manifest.files:
        is_done = is_among(manifest.read_ids_of(name), done)
        if not is_done.all():
            yield from itertools.compress(manifest.read_range(name), (~is_done).tolist())


def codes_of(table: pa.Table) -> pa.ChunkedArray:
    """Return the codes of errors of rows; null where there is none."""
    return pc.struct_field(table.column("error"), "code")


def _check_empty(storage: Storage) -> None:
    if not isinstance(storage, LocalStorage):
        if storage.list_names(""):
            raise UsageError(f"{storage.title}: has other files in it; name an empty or a new folder with -o")
        return
    folder = storage.folder
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a folder with -o")
    if folder.is_dir() and any(name not in (".lock", ".in-progress") for name in os.listdir(folder)):
        raise UsageError(f"{folder}: has other files in it; name an empty or a new folder with -o")
