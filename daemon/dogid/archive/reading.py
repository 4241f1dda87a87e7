"""Reading an output folder's results, in bounded memory."""

from collections.abc import Iterator
from typing import Any

from dogid.archive.output_folder import OutputFolder
from dogid.archive.parquet_files import iterate_tables
from dogid.archive.schema import as_result, moments_as_numbers
from dogid.ledger.queries import ResultFilter
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


def iterate_matching(output: OutputFolder, wanted: ResultFilter) -> Iterator[list[Result]]:
    """Yield the results that a filter wants by label, score and the moment of the answer, in groups."""
    for rows in iterate_rows(output):
        found = [as_result(row) for row in rows if _matches(row, wanted)]
        if found:
            yield found


def _matches(row: dict[str, Any], wanted: ResultFilter) -> bool:
    score = row["score"]
    return (
        (wanted.label is None or row["label"] == wanted.label)
        and (wanted.min_score is None or (score is not None and score >= wanted.min_score))
        and (wanted.since_ms is None or row["classified_at"] >= wanted.since_ms * 1000)
        and (wanted.until_ms is None or row["classified_at"] < wanted.until_ms * 1000)
    )
