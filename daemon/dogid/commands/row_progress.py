"""A progress bar for commands that go through the ledger, or through what it was sorted into."""

import contextlib
import sqlite3
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def show_row_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while the context lasts, if that is a terminal; yield what takes how many of how many."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda reached, last: progress.update(task, completed=reached, total=last)


def find_last_id(db: sqlite3.Connection) -> int:
    """Return the id of the newest photo: where a command that goes by the ids will end."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM photo").fetchone()[0])
