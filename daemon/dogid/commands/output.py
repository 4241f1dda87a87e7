"""Printing: results to stdout as lines, tables or JSON; messages to stderr."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from dogid.file_names import one_line


def print_line(line: str) -> None:
    """Print one line to stdout, at once."""
    print(line, flush=True)  # noqa: T201


def print_message(message: str) -> None:
    """Print a message about the command itself, such as an error, to stderr, on one line whatever names are in it."""
    print(f"dogid: {one_line(message)}", file=sys.stderr)  # noqa: T201


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    print_line(json.dumps(document, ensure_ascii=False))


def print_table(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> None:
    """Print rows in aligned columns; with headings on a terminal, without them into a pipe.

    Control characters in names are escaped.
    """
    rows = [[one_line(cell) for cell in row] for row in rows]
    if headings and sys.stdout.isatty():
        _print_rich_table(rows, headings)
        return
    if not rows:
        return
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_line("  ".join(cells).rstrip())


def _print_rich_table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a file's name may look like rich's own markup
    Console().print(table)
