"""What runs on Ray's nodes: entries from the manifest, rows from entries, part files from rows.

The bytes of photos stay in the process that reads them; only entries and rows go from process to process.
"""

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.data import Datasink, Datasource, ReadTask
from ray.data.block import Block, BlockAccessor, BlockMetadata

from dogid import __version__
from dogid.archive.entries import Entry
from dogid.archive.entry_classifier import EntryClassifier
from dogid.archive.folder import Folder
from dogid.archive.open_source import open_source
from dogid.archive.output_folder import RESULTS, check_claim, read_token
from dogid.archive.parquet_files import encode_table, read_table
from dogid.archive.schema import table_of
from dogid.archive.source import Source
from dogid.archive.storage import open_storage
from dogid.archive.unreadable_photos import UnreadablePhotos
from dogid.decoding.byte_budget import choose_capacity
from dogid.errors import DogidError, UsageError
from dogid.model.classifier import check_model
from dogid.settings import Settings


@dataclass(frozen=True, slots=True)
class Job:
    """What every node needs to know of a run. It is sent to each of its processes, so it is small."""

    source: str
    """As `Source.name`."""
    output: str
    """The folder's path or URL."""
    token: str
    """As `OutputFolder.token`."""
    schema: pa.Schema
    """Of the part files."""
    chosen: Settings
    embeddings: bool
    model: Any
    """A reference to the ModelFile in Ray's object store, which each node fetches once."""
    model_sha256: str
    """Of the weights as the model is run."""
    version: str = __version__
    """Of dogid, on the node that started the run."""


class ManifestRange(NamedTuple):
    """Entries that become a part file."""

    file: str
    """Of the manifest."""
    first: int
    """The number of the first entry in the file."""
    is_missing: NDArray[np.bool_]
    """Of each entry from there on, whether it is to be classified."""


class ManifestRanges(Datasource):
    """The manifest for Ray: a task for each range of it."""

    def __init__(self, output: str, ranges: list[ManifestRange]) -> None:
        """Set up with ranges of the manifest in an output folder."""
        self._output = output
        self._ranges = ranges

    def estimate_inmemory_data_size(self) -> int | None:
        """Return None: it is not known, and small."""
        return None

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: Any = None
    ) -> list[ReadTask]:
        """Return the tasks."""
        del parallelism, per_task_row_limit, data_context
        return [
            ReadTask(
                functools.partial(_read_range, self._output, found),
                BlockMetadata(num_rows=int(found.is_missing.sum()), size_bytes=None, input_files=None, exec_stats=None),
            )
            for found in self._ranges
        ]


def _read_range(output: str, found: ManifestRange) -> Iterator[pa.Table]:
    entries = read_table(open_storage(output), found.file).slice(found.first, len(found.is_missing))
    yield entries.filter(pa.array(found.is_missing)).combine_chunks()


class EntryActor:
    """Classifies entries, in one process on one core."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._unreadable = UnreadablePhotos()

    def __call__(self, entries: pa.Table) -> pa.Table:
        """Return the rows of a batch of entries.

        Raise DogidError where this node cannot take part in the run, or has lost the disk or the bucket.
        """
        columns = (entries.column(name).to_pylist() for name in Entry._fields)
        rows = []
        for values in zip(*columns, strict=True):
            rows.append(self._classifier.classify(Entry(*values)))
            loss = self._unreadable.find_loss(rows[-1])
            if loss is not None:
                raise DogidError(f"{_node()}: {loss}")
        return table_of(rows, self._job.schema)

    @functools.cached_property
    def _classifier(self) -> EntryClassifier:
        """Made with the first batch: an error in a constructor would reach the user as a traceback of Ray's."""
        job = self._job
        _check_node(job)
        file = ray.get(job.model)
        if hashlib.sha256(file.data).hexdigest() != job.model_sha256:
            raise DogidError(f"{_node()}: the model that arrived is not {file.name}, which the others have")
        return EntryClassifier(
            check_model(file),
            open_photos(job.source),
            replace(job.chosen, memory=_share_memory(job.chosen.memory)),
            embeddings=job.embeddings,
            notes=_notes_folder(job.token),
        )


def _check_node(job: Job) -> None:
    """Raise DogidError where this node would give other answers than the rest, or its rows would be lost."""
    if job.version != __version__:
        raise DogidError(
            f"{_node()}: has dogid {__version__}, and the run was started by dogid {job.version}: install the same"
            " version on all nodes"
        )
    if read_token(open_storage(job.output)) is None:
        raise DogidError(f"{_node()}: does not see the output {job.output}: mount it there at the same path")


def open_photos(source: str) -> Source:
    """Return the source on this node. Raise DogidError, which names the node, where it is not there."""
    try:
        found = open_source(source)
        is_empty = isinstance(found, Folder) and _is_empty(found.root)
    except UsageError as error:
        raise DogidError(f"{_node()}: {error}: mount it there at the same path") from error
    except OSError as error:  # no rights, or a disk or a server that is gone
        raise DogidError(
            f"{_node()}: {source}: cannot be read there: {error.strerror}: mend its mount or its rights there"
        ) from error
    if is_empty:
        raise DogidError(f"{_node()}: {source}: is empty there, and photos were listed in it: mount it there")
    return found


def _is_empty(folder: str) -> bool:
    """Return whether nothing is in a folder, as in a mount point without its disk. Raise OSError."""
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _node() -> str:
    return f"node {socket.gethostname()}"


def _share_memory(megabytes: int) -> int:
    """Return the part of a limit of memory, in MB, that one of as many processes as there are cores may have."""
    return max(1, choose_capacity(megabytes) // len(os.sched_getaffinity(0)) // 1_000_000)


def _notes_folder(token: str) -> Path | None:
    """Return the folder for notes of this actor: its id stays the same when it was killed and is started again.

    It is removed when this process ends by itself. None where the place is another user's.
    """
    folder = notes_place(token)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
            return None
        own = folder / (ray.get_runtime_context().get_actor_id() or "alone")
        own.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    atexit.register(_remove_notes, own)
    return own


def notes_place(token: str) -> Path:
    """Return the folder on this machine for the notes of all actors of a run."""
    return Path(tempfile.gettempdir(), f"dogid-batch-{token}")


def _remove_notes(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # the last one takes the common folder with it
        folder.parent.rmdir()


class PartFiles(Datasink[None]):
    """Writes the rows of each task into a part file.

    Its name is the task's: when a task is repeated, since its process or its node was killed, the file takes the place
    of the former one.
    """

    def __init__(self, job: Job) -> None:
        self._job = job

    def write(self, blocks: Iterable[Block], ctx: Any) -> None:
        """Write the rows of blocks. Raise DogidError where another run has taken over the folder since."""
        tables = [table for block in blocks if (table := BlockAccessor.for_block(block).to_arrow()).num_rows]
        if not tables:
            return
        storage = open_storage(self._job.output)
        check_claim(storage, self._job.token)
        table = pa.concat_tables([table.cast(self._job.schema) for table in tables])
        storage.write(part_name(self._job.token, ctx.task_idx), encode_table(table))


def part_name(token: str, number: int) -> str:
    """Return the name of a part file of a run on Ray."""
    return f"{RESULTS}/{token}-{number:06d}.parquet"
