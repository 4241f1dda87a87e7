"""`dogid why FILE`: show the history of one photo."""

import argparse
import os
from pathlib import Path
from typing import Any

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line, print_message
from dogid.commands.reading_state import ask_inbox, find_inbox, names_in_ledger
from dogid.conditions import not_running
from dogid.errors import DogidError
from dogid.file_names import one_line, shown_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE and the flags of `reading_state`."""
    parser.add_argument("file", metavar="FILE", help="a path in the inbox, or a name as in /results")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the events of the photo, newest first. Raise DogidError where the ledger has no such photo."""
    from dogid.daemon.condition_monitor import read_condition
    from dogid.daemon.folders import is_running
    from dogid.ledger import queries
    from dogid.ledger.histories import all_pages

    db = reading_state.open_state(args)
    chosen = settings.load(args)
    inbox, state = find_inbox(args), chosen.state.absolute()
    names = ask_inbox(inbox, lambda: names_in_ledger(args.file, inbox))
    if isinstance(names, str):  # the inbox does not answer
        print_message(one_line(names))
        names = [args.file]
    photo_id = next((found for name in names if (found := queries.find_photo(db, name))), None)
    if photo_id is None:
        photo_id = next((found for name in names if (found := queries.find_renamed(db, name))), None)
    result = None if photo_id is None else queries.find_result(db, photo_id)
    if photo_id is None or result is None:
        reason = ask_inbox(inbox, lambda: _reason(args.file, inbox, state))
        raise DogidError(f"{one_line(args.file)}: not in the ledger; {reason}")
    problem = read_condition(state) if is_running(state) else None
    if problem is not None:
        print_message(one_line(problem))
    pages = all_pages(db, photo_id)
    if args.json:
        print_json(result | {"history": [step for page in pages for step in page.steps]})
        return 0
    print_line(f"{one_line(result['file'])}: {result['status']}{', unsure' if result['unsure'] else ''}")
    for page in pages:
        for step in page.steps:
            _print_step(step)
    return 0


def _reason(file: str, inbox: Path, state: Path) -> str:
    from dogid.daemon.condition_monitor import find_other_inbox, read_condition
    from dogid.daemon.folders import is_running
    from dogid.inbox.ignored_names import is_ignored_path
    from dogid.inbox.inbox_condition import folder_problem, inbox_problem, kind_problem, link_problem
    from dogid.inbox.scan import find_file
    from dogid.ledger.ledger_condition import ledger_problem

    other = find_other_inbox(state, inbox) if is_running(state) else None
    if other is not None:
        return other
    name = os.fsencode(names_in_ledger(file, inbox)[0])
    if os.path.isabs(name) or os.path.normpath(name).split(b"/")[0] == b"..":
        return f"it lies outside of the inbox {inbox}, and dogid looks at photos there alone"
    if is_ignored_path(name):
        return "dogid ignores its name (hidden or temporary file)"
    problem = inbox_problem(inbox) or link_problem(inbox, name) or folder_problem(inbox, name)
    problem = problem or kind_problem(inbox, name)
    if problem is not None:
        return one_line(problem)
    if find_file(inbox, name) is None:
        return f"there is no such file in {inbox}"
    if is_running(state):
        problem = ledger_problem(state) or read_condition(state) or "try again in a minute"
        return f"it is in the inbox, and the next scan finds it; {one_line(problem)}"
    return f"it is in the inbox, but {not_running(state)}"


def _print_step(step: dict[str, Any]) -> None:
    print_line(f"  {step['at']}  {step['event']:<10}  {one_line(shown_name(step['detail'].encode()))}")
    for label, score in step.get("scores", {}).items():
        print_line(f"  {'':<24}  {'':<10}  {score:.3f} {one_line(label)}")
