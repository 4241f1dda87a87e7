"""What the commands that read a daemon's state share: finding it, printing JSON and tables."""

import argparse
import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any

from dogid import settings
from dogid.ledger.database import open_for_reading

SETTINGS = ("inbox", "state")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json, and the settings by which a daemon is found."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, SETTINGS)


def open_state(args: argparse.Namespace) -> sqlite3.Connection:
    """Open the ledger of the daemon that the flags name, whether it runs or not. Raise UsageError."""
    return open_for_reading(settings.load(args).state.absolute())


def print_json(document: Any) -> None:
    """Print one document."""
    print(json.dumps(document, ensure_ascii=False), flush=True)  # noqa: T201


def print_table(rows: Sequence[Sequence[str]], headings: Sequence[str] = ()) -> None:
    """Print rows in columns as wide as they need: with headings and lines on a terminal, bare where a program reads."""
    if headings and sys.stdout.isatty():
        _print_for_people(rows, headings)
        return
    if not rows:
        return
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip(), flush=True)  # noqa: T201


def _print_for_people(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a file's name may look like rich's own markup
    Console().print(table)
