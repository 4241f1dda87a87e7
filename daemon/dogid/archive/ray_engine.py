"""The engine of many machines, or of all cores of one: Ray Data reads the manifest, classifies and writes.

One actor a core classifies; part files appear one by one, so that a run that ends early keeps what is finished.
"""

import contextlib
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from dogid.archive.batch import Batch, cannot_write
from dogid.archive.output_folder import is_among
from dogid.archive.parquet_files import read_table
from dogid.archive.ray_cluster import connected
from dogid.archive.ray_nodes import EntryActor, Job, ManifestRange, ManifestRanges, PartFiles, notes_place
from dogid.errors import DogidError, UsageError

# Entries of a part file, at most; a kill takes the work on one of each core with it. Raising it makes fewer, larger
# files; lowering it gives Ray, which needs some milliseconds of its own for each, more to do.
_BLOCK_ENTRIES = 1_000
_MOST_BLOCKS = 20_000  # above, blocks get larger: a billion photos in blocks of 1,000 would be a million files
_BLOCKS_PER_CORE = 4  # of small archives, at least: with fewer, cores wait for the last ones
_BATCH = 64  # entries that an actor is given at once, at most; with more, an interrupted run takes longer to end
# What an actor raises arrives as text: the exception that Ray makes of it loses its cause on the way.
_RAISED = re.compile(r"^dogid\.errors\.(\w+): (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
# Ray appends to the message of an exception how often it tried, and names settings of its own
_APPENDED = re.compile(r"\n[^\n]* after \d+/\d+ attempts \(total backoff .*", re.DOTALL)
_ERROR = re.compile(r"^[\w.]+(?:Error|Exception): .+$", re.MULTILINE)  # the first is the cause of all others
_COUNT_SECONDS = 1.0  # between two looks at which part files there are


def classify_on_ray(batch: Batch, address: str | None) -> None:
    """Classify what is missing on a cluster, or on one that is started here where address is None.

    Raise DogidError where it cannot be finished. A KeyboardInterrupt leaves the part files that are finished.
    """
    if not batch.counts.left:
        return
    cores = batch.chosen.workers or len(os.sched_getaffinity(0))
    with connected(address, cores) as found:
        actors = batch.chosen.workers or found
        with _counting(batch):
            try:
                _execute(batch, actors)
            except Exception as error:
                raise _explain(batch, error) from error
            finally:
                shutil.rmtree(notes_place(batch.output.token), ignore_errors=True)


def _execute(batch: Batch, actors: int) -> None:
    """Run the plan.

    Ray's own checkpointing is not used: its filter needs a core, which it waits for in vain where actors have all that
    a lost node has left; and where its folder is missing, it goes without. The part files know what is done.
    """
    job = _make_job(batch)
    size = _choose_block_size(batch, actors)
    ranges = list(_split(batch, size))
    DataContext.get_current().enable_progress_bars = False
    # reading and writing take milliseconds: they are given no cores, since actors have all
    ray.data.read_datasource(
        ManifestRanges(job.output, ranges), num_cpus=0, concurrency=1, override_num_blocks=len(ranges)
    ).map_batches(
        EntryActor,
        fn_constructor_kwargs={"job": job},
        batch_format="pyarrow",
        batch_size=min(_BATCH, size),  # Ray makes small blocks larger, up to this
        compute=ActorPoolStrategy(size=actors),
        num_cpus=1,
        udf_modifying_row_count=False,
    ).write_datasink(PartFiles(job), ray_remote_args={"num_cpus": 0}, concurrency=max(1, actors // 4))


def _make_job(batch: Batch) -> Job:
    file = batch.model.file
    return Job(
        source=batch.source.name,
        output=batch.output.title,
        token=batch.output.token,
        schema=batch.output.schema,
        chosen=batch.chosen,
        embeddings=batch.embeddings,
        model=ray.put(file),
        model_sha256=hashlib.sha256(file.data).hexdigest(),
    )


def _choose_block_size(batch: Batch, actors: int) -> int:
    """Return how many entries become a part file."""
    missing = batch.counts.left
    return max(1, min(_BLOCK_ENTRIES, missing // (actors * _BLOCKS_PER_CORE)), missing // _MOST_BLOCKS)


def _split(batch: Batch, size: int) -> Iterator[ManifestRange]:
    """Yield the ranges of the manifest that become part files, but for those in which everything is done."""
    for name in batch.manifest.files:
        ids = read_table(batch.manifest.storage, name, ["id"]).column(0).to_numpy()
        is_missing = ~is_among(ids, batch.done)
        for first in range(0, len(ids), size):
            missing = is_missing[first : first + size]
            if missing.any():
                yield ManifestRange(name, first, missing)


@contextlib.contextmanager
def _counting(batch: Batch) -> Iterator[None]:
    """Count the rows of part files as they appear, while the context lasts: no earlier are they safe."""
    seen: set[str] = set()
    ended = threading.Event()

    def count() -> None:
        for name in batch.output.list_parts():
            if batch.output.token in name and name not in seen:
                batch.counts.add(batch.output.read_codes(name))
                seen.add(name)

    thread = threading.Thread(target=_repeat, args=(count, ended), name="part-files", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(OSError, DogidError):
            count()


def _repeat(count: Callable[[], None], ended: threading.Event) -> None:
    while not ended.wait(_COUNT_SECONDS):
        with contextlib.suppress(Exception):  # of a remote folder: the next look has it
            count()


def _explain(batch: Batch, error: Exception) -> DogidError:
    """Return what ended a run, with the way out, and without Ray's tracebacks."""
    own = find_own_error(error)
    if own is not None:
        return own
    full = next((cause for cause in _causes(error) if isinstance(cause, OSError)), None)
    if full is not None:
        return DogidError(cannot_write(batch.output, full))
    text = str(error)
    if "No module named 'dogid" in text:
        return DogidError("a node of the cluster has no dogid: install it on all of them, with its extra `ray`")
    reasons = [*_ERROR.findall(text), *text.strip().splitlines()[-1:], type(error).__name__]
    return DogidError(
        f"Ray ended the run: {reasons[0][:500]}; what was finished is kept, and the same command does the rest. Ray's"
        " own records are in /tmp/ray/session_latest/logs"
    )


def find_own_error(error: BaseException) -> DogidError | None:
    """Return the error of dogid's that made Ray end a run, without what Ray adds; None where another one did."""
    for cause in _causes(error):
        if isinstance(cause, DogidError) and not isinstance(cause, RayError):  # Ray's copy has a traceback as its text
            return _make_own(str(cause), is_usage=isinstance(cause, UsageError))
    raised = _RAISED.findall(str(error))
    return _make_own(raised[-1][1], is_usage=raised[-1][0] != DogidError.__name__) if raised else None


def _make_own(text: str, *, is_usage: bool) -> DogidError:
    text = _APPENDED.sub("", text).strip()
    return UsageError(text) if is_usage else DogidError(text)


def _causes(error: BaseException | None) -> Iterator[Any]:
    """Yield an error and what it was raised from, through Ray's wrappers."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [getattr(found, "cause", None), found.__cause__, found.__context__]
