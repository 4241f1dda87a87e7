"""`dogid audit`: compare the inbox with the ledger, for photos that are lost or counted twice."""

import argparse
import sqlite3
import time
from pathlib import Path

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line, print_message
from dogid.conditions import not_running
from dogid.daemon.condition_monitor import find_other_inbox
from dogid.daemon.folders import is_running
from dogid.errors import DogidError
from dogid.file_names import one_line, shown_name
from dogid.inbox.inbox_condition import describe_links_out
from dogid.ledger.audit import Audit, audit
from dogid.ledger.ledger_condition import ledger_problem
from dogid.quantities import count_of

_RETRY_SECONDS = 5.0  # a running daemon needs a moment for a photo that has just arrived
_PAUSE_SECONDS = 0.2  # between two audits; lowering it keeps the disk of a large inbox busy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `reading_state`."""
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print photos that are lost or counted twice; return 1 if there are any, or may be, in an unreadable folder."""
    db = reading_state.open_state(args)
    chosen = settings.load(args)
    inbox, state = chosen.inbox.absolute(), chosen.state.absolute()
    running = is_running(state)
    other = find_other_inbox(state, inbox) if running else None
    if other is not None:
        raise DogidError(other)
    hindrance = ledger_problem(state) or (None if running else not_running(state))
    found = audit(db, inbox) if hindrance else _audit_with_retries(db, inbox)
    for problem in found.unreadable_folders:
        print_message(one_line(problem))
    if args.json:
        print_json(found.document())
    else:
        _print(found, hindrance)
        links = describe_links_out(inbox, found.links)
        if links is not None:
            print_line(one_line(links))
    return 0 if found.is_clean else 1


def _audit_with_retries(db: sqlite3.Connection, inbox: Path) -> Audit:
    """Audit; where something disagrees, repeat for some seconds, as a running daemon may be about to correct it."""
    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        found = audit(db, inbox)
        if not (found.lost or found.counted_twice) or time.monotonic() > deadline:
            return found
        time.sleep(_PAUSE_SECONDS)


def _print(found: Audit, hindrance: str | None) -> None:
    """Print what was found; hindrance is why the daemon cannot have seen new photos."""
    for path in found.lost:
        print_line(f"{'not seen yet' if hindrance else 'lost'}: {one_line(shown_name(path))}")
    for path in found.counted_twice:
        print_line(f"counted twice: {one_line(shown_name(path))}")
    photos = count_of(found.photos, "photo")
    print_line(f"{photos} in the inbox: {_verdict(found, hindrance)}")


def _verdict(found: Audit, hindrance: str | None) -> str:
    if found.is_clean:
        return "nothing lost, nothing counted twice"
    if not found.lost and not found.counted_twice:
        return "nothing lost, nothing counted twice; those in unreadable folders are not compared"
    if hindrance is None or not found.lost:
        return "the ledger does not agree with the inbox"
    return f"{len(found.lost)} not seen yet, since {hindrance}"
