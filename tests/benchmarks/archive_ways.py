"""Other engines' own ways to classify a folder of photos into Parquet, with the same code for each photo.

`python -m tests.benchmarks.archive_ways WAY FOLDER OUT WORKERS`, WAY being one of WAYS.
"""

import contextlib
import functools
import multiprocessing
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dogid.model.classifier import Classifier, load_model
from dogid.model.classify_photo import classify_photo
from dogid.model.shipped import shipped_model

_CHUNK = 32
Row = dict[str, Any]


@functools.cache
def _classifier() -> Classifier:
    """One for each process."""
    return load_model(shipped_model()).classifier()


def classify(path: str) -> Row:
    """Return a photo's row; these ways have no rows of errors."""
    photo = classify_photo(Path(path).read_bytes(), _classifier())
    best = photo.best(1)
    return {"file": path, "label": next(iter(best)), "score": float(next(iter(best.values())))}


def limit(paths: list[str], out: Path, workers: int) -> None:
    """One process a core that classifies its share, and keeps nothing: nothing can be faster."""
    del out
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_classify_all, args=(paths[at::workers],)) for at in range(workers)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _classify_all(paths: list[str]) -> None:
    for path in paths:
        classify(path)


def pool(paths: list[str], out: Path, workers: int) -> None:
    """`multiprocessing.Pool`, one file at the end."""
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        rows = list(processes.imap_unordered(classify, paths, chunksize=_CHUNK))
    pq.write_table(pa.Table.from_pylist(rows), out / "all.parquet")


def dask(paths: list[str], out: Path, workers: int) -> None:
    """A bag of Dask's, a file for each partition."""
    import dask.bag

    with dask.config.set(scheduler="processes", num_workers=workers):
        bag = dask.bag.from_sequence(paths, partition_size=_CHUNK)
        bag.map_partitions(functools.partial(_write_partition, out=str(out))).compute()


def _write_partition(paths: list[str], out: str) -> list[int]:
    rows = [classify(path) for path in paths]
    pq.write_table(pa.Table.from_pylist(rows), Path(out, f"{os.path.basename(paths[0])}.parquet"))
    return [len(rows)]


def spark(paths: list[str], out: Path, workers: int) -> None:
    """A data frame of Spark's, by `mapInPandas`, on this machine."""
    from pyspark.sql import SparkSession

    from tests.benchmarks import archive_ways  # by this name, and not as __main__, its workers can import it

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else its workers are of the first Python of the PATH
    session = SparkSession.builder.master(f"local[{workers}]").config("spark.ui.enabled", "false").getOrCreate()
    frame = session.createDataFrame([(path,) for path in paths], "file string")
    parts = max(workers, len(paths) // _CHUNK)
    rows = frame.repartition(parts).mapInPandas(
        archive_ways._classify_frames, "file string, label string, score double"
    )
    rows.write.mode("overwrite").parquet(str(out / "spark"))
    session.stop()


def _classify_frames(frames: Iterator[Any]) -> Iterator[Any]:
    import pandas as pd

    for frame in frames:
        yield pd.DataFrame([classify(path) for path in frame["file"]])


WAYS = {way.__name__: way for way in (limit, pool, dask, spark)}

if __name__ == "__main__":
    name, folder, place, count = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        WAYS[name](sorted(map(str, Path(folder).glob("*.jpg"))), Path(place), int(count))
