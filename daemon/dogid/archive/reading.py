"""Reading an output folder's results, in bounded memory."""

from collections.abc import Iterator
from typing import Any

from dogid.archive.output_folder import OutputFolder
from dogid.archive.parquet_files import iterate_tables
from dogid.archive.schema import as_result, moments_as_numbers
from dogid.result_document import Result

ROWS = 2_000
"""Rows that are read at once. More take more memory, fewer more time."""


def iterate_results(output: OutputFolder, rows: int = ROWS) -> Iterator[list[Result]]:
    """Yield all results in groups, part file by part file, in no other order. Raise DogidError."""
    for found in iterate_rows(output, rows):
        yield [as_result(row) for row in found]


def iterate_rows(output: OutputFolder, rows: int = ROWS) -> Iterator[list[dict[str, Any]]]:
    """Yield all rows by the columns of `schema`, in groups; moments are microseconds since 1970, UTC."""
    for name in output.list_parts():
        for table in iterate_tables(output.storage, name, rows):
            yield moments_as_numbers(table).to_pylist()
