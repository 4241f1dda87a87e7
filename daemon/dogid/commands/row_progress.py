"""A progress bar for commands that go through the ledger in the order of the ids."""

import contextlib
import sqlite3
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def show_row_progress(title: str, db: sqlite3.Connection) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr while the context lasts, if that is a terminal; yield what takes the id that was reached."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    (last,) = db.execute("SELECT max(id) FROM photo").fetchone()
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=last or 1)
        yield lambda reached: progress.update(task, completed=reached)
