"""Parquet files are read on the caller's thread: one of Arrow's that works when Python ends aborts the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import environment

_READ = """
import os, sys
import pyarrow as pa
from dogid.archive.manifest import Manifest, write_manifest
from dogid.archive.manifest_file import ManifestFile
from dogid.archive.entries import make_entry
from dogid.archive.parquet_files import count_table_rows, encode_table, iterate_tables, read_table
from dogid.archive.storage import open_storage

listed = sys.argv[2]
pa.OSFile(listed, "wb").write(encode_table(pa.table({"path": ["a"], "size": [1], "etag": ["x"]})))
before = len(os.listdir("/proc/self/task"))
storage = open_storage(sys.argv[1])
manifest = write_manifest(storage, "token", [make_entry(str(number), 1, 2) for number in range(3)])
assert [entry.file for entries in manifest.iterate_ranges() for entry in entries] == ["0", "1", "2"]
assert len(manifest.read_ids()) == count_table_rows(storage, manifest.files[0]) == 3
assert [table.num_rows for table in iterate_tables(storage, manifest.files[0], 2)] == [2, 1]
assert len(list(ManifestFile(listed).iterate_entries())) == 1
assert not isinstance(storage.open(manifest.files[0]), pa.PythonFile)
print(len(os.listdir("/proc/self/task")) - before)
"""


@pytest.mark.parametrize("place", ["{folder}/out", "memory://out"])
def test_no_thread_is_started_for_reading(place: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _READ, place.format(folder=tmp_path), str(tmp_path / "list.parquet")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("0\n", "")
