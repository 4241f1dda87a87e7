"""`dogid batch import OUT`: an archive's results into a ledger, for the page, reviews and learning."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.archive.header import Header
from dogid.archive.output_folder import read_output
from dogid.archive.remote import is_url
from dogid.commands.output import print_json, print_line, print_message
from dogid.commands.row_progress import show_row_progress
from dogid.errors import UsageError
from dogid.file_names import quote_for_shell

if TYPE_CHECKING:
    from dogid.archive.importing import Imported


def run(args: argparse.Namespace, out: str) -> int:
    """Import the results of an output folder; print what was new."""
    from dogid.archive.importing import import_results

    chosen = settings.load(args)
    output = read_output(out)
    inbox = _choose_inbox(args, chosen, output.header)
    state = chosen.state.absolute()
    total = output.count_rows()
    with _locking(state, inbox), show_row_progress("importing") as on_rows:
        done = import_results(output, state, inbox, lambda count: on_rows(count, total))
    _report(args, done, state, inbox)
    return 0


def _choose_inbox(args: argparse.Namespace, chosen: settings.Settings, header: Header) -> Path | None:
    """Return the folder whose photos the ledger is about: the archive itself where no inbox is named, or there."""
    is_named = args.inbox is not None or settings.variable("inbox") in os.environ
    inbox = chosen.inbox.absolute()
    if is_named and not inbox.is_dir():
        raise UsageError(f"{inbox}: there is no such inbox; name the folder of the photos with --inbox")
    if inbox.is_dir():
        return inbox
    return Path(header.source) if not is_url(header.source) and Path(header.source).is_dir() else None


@contextlib.contextmanager
def _locking(state: Path, inbox: Path | None) -> Iterator[None]:
    """Keep daemons from the state folder while the context lasts. Raise UsageError where one runs."""
    from dogid.daemon.folders import is_running, lock_state, prepare_state

    if is_running(state):
        raise UsageError(f"{state}: a daemon runs with this state folder: stop it for the import, and start it after")
    if inbox is None:
        state.mkdir(parents=True, exist_ok=True)
    else:
        prepare_state(state, inbox)
    lock = lock_state(state)
    try:
        yield
    finally:
        os.close(lock)


def _report(args: argparse.Namespace, done: "Imported", state: Path, inbox: Path | None) -> None:
    if args.json:
        document = done.counts._asdict() | {
            "rows": done.rows,
            "absent": done.absent,
            "changed": done.changed,
            "failed_absent": done.failed_absent,
        }
        print_json(document | {"state": str(state), "inbox": None if inbox is None else str(inbox)})
        return
    print_line(
        f"{done.rows:,} results: {done.counts.new:,} new, {done.counts.replaced:,} in place of older answers,"
        f" {done.counts.known:,} known before"
    )
    for count, what in (
        (done.absent, "of photos that are not in the inbox: the page has no pictures of them"),
        (done.changed, "of photos that have changed since: left out, the daemon classifies them"),
        (done.failed_absent, "failed, of photos that are not in the inbox: left out"),
    ):
        if count:
            print_line(f"  {count:,} {what}")
    if inbox is not None:
        flags = f"--inbox {quote_for_shell(inbox)} --state {quote_for_shell(state)}"
        print_message(f"to see them: dogid run {flags}")
