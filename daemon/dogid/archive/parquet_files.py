"""Tables as Parquet files of a storage, and back.

All is read on the caller's thread, which costs nothing: files are of some thousand rows. A thread of Arrow's that still
lets go of Python's memory when Python ends aborts the process.
"""

import contextlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from dogid.archive.storage import Storage
from dogid.errors import DogidError

COMPRESSION = "zstd"


def encode_table(table: pa.Table) -> bytes:
    """Return a table as a compressed Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=COMPRESSION)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_table(storage: Storage, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a file, or some columns of it. Raise DogidError where it is damaged; OSError."""
    with _explain_damage(storage, name), storage.open(name) as file, pq.ParquetFile(file, pre_buffer=False) as found:
        return found.read(columns=columns, use_threads=False)


def count_table_rows(storage: Storage, name: str) -> int:
    """Return how many rows a file has, as its footer says. Raise DogidError where it is damaged; OSError."""
    with _explain_damage(storage, name), storage.open(name) as file, pq.ParquetFile(file, pre_buffer=False) as found:
        return int(found.metadata.num_rows)


def iterate_tables(storage: Storage, name: str, rows: int) -> Iterator[pa.Table]:
    """Yield a file in tables of at most so many rows. Raise DogidError where it is damaged; OSError."""
    with _explain_damage(storage, name), storage.open(name) as file, pq.ParquetFile(file, pre_buffer=False) as found:
        for batch in found.iter_batches(rows, use_threads=False):
            yield pa.Table.from_batches([batch])


@contextlib.contextmanager
def _explain_damage(storage: Storage, name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise DogidError(
            f"{storage.title}/{name} has gone: does a dogid batch write there? Do this again once it has ended"
        ) from error
    except (pa.ArrowException, ValueError, KeyError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # Arrow has none for damage
            raise
        reason = " ".join(str(error).split())
        raise DogidError(
            f"{storage.title}/{name} is damaged: {reason}; delete it, and run the same dogid batch again: its photos"
            " are classified again"
        ) from error
