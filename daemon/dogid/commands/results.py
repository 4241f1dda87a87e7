"""`dogid results`: list results, newest first, or follow them."""

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dogid import settings
from dogid.commands import reading_state, result_bounds
from dogid.commands.output import print_json, print_message, print_table
from dogid.conditions import rows_left_out
from dogid.errors import UsageError
from dogid.file_names import one_line
from dogid.ledger.verdicts import STANDING
from dogid.result_document import is_unsure

_STATUSES = ("pending", "classified", "failed")
_REVIEWED = ("true", "false", *STANDING)
_POLL_SECONDS = 0.5  # between looks for new results; less costs CPU time of a small machine
_MAX_LIMIT = 1_000_000
_HEADINGS = ("id", "answered", "label", "score", "file", "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the filters, --limit, --follow, --new, --from, --token-file and the flags of `reading_state`."""
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="show at most N results (default: 50)")
    parser.add_argument("--label", metavar="L", help="only photos with this label")
    parser.add_argument("--status", choices=_STATUSES, metavar="S", help="only " + ", ".join(_STATUSES))
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--present", action="store_true", help="only photos that are in the inbox")
    where.add_argument("--absent", action="store_true", help="only photos that have left the inbox")
    parser.add_argument(
        "--reviewed",
        choices=_REVIEWED,
        metavar="R",
        help="only photos on which a person's word stands (true), or none (false), or labelled, confirmed, unsure",
    )
    parser.add_argument(
        "--unsure",
        nargs="?",
        const="yes",
        choices=("yes", "no"),
        metavar="U",
        help="only answers below their label's threshold and photos of which a person is unsure (yes, also without a"
        " value), or only other answers (no)",
    )
    result_bounds.add_bounds(parser)
    parser.add_argument("--follow", action="store_true", help="keep running and print new results")
    parser.add_argument("--new", action="store_true", help="with --follow: print only what comes from now on")
    parser.add_argument(
        "--from", dest="source", metavar="URL", help="read the daemon at this address, such as http://barn:8000/"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="with --from: a file whose first line is that daemon's token"
    )
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print results; with --follow print new ones until Ctrl-C."""
    from dogid.ledger import known_labels, queries
    from dogid.ledger.database import is_outdated

    if not 1 <= args.limit <= _MAX_LIMIT:
        way_out = "; --follow --new prints only what comes from now on" if args.limit == 0 else ""
        raise UsageError(f"--limit must be from 1 to {_MAX_LIMIT}{way_out}")
    if args.new and not args.follow:
        raise UsageError("--new prints what comes from now on: give --follow with it; or --since for what came before")
    bounds = result_bounds.read_bounds(args)
    if args.source is not None:
        return _run_remote(args, bounds)
    if args.token_file is not None:
        raise UsageError("--token-file: is the token of another daemon; give its address by --from")
    db = reading_state.open_state(args)
    problem = None if args.label is None else known_labels.explain_unknown_label(db, args.label)
    if problem is not None:
        raise UsageError(f"--label: {problem}")
    present, unsure = _wanted_presence(args), None if args.unsure is None else args.unsure == "yes"
    wanted = queries.ResultFilter(
        limit=args.limit,
        label=args.label,
        status=args.status,
        present=present,
        reviewed=args.reviewed,
        unsure=unsure,
        **asdict(bounds),
    )
    found, since = ([], queries.read_newest_seq(db)) if args.new else queries.list_results_with_seq(db, wanted)
    if not args.follow:
        if args.json:
            print_json({"results": found})
        else:
            print_table([_table_row(result) for result in found], _HEADINGS)
        if db.damaged_rows:
            print_message(rows_left_out(db.damaged_rows))
        return 0
    for result in reversed(found):
        _print_one(result, as_json=args.json)
    state = settings.load(args).state.absolute()
    while True:
        if is_outdated(state, db):  # the daemon has started and brought the ledger up to date
            db = reading_state.open_state(args)
        for seq, result in queries.list_results_since(db, since, 1000):
            since = seq
            if _matches(result, args, bounds):
                _print_one(result, as_json=args.json)
        time.sleep(_POLL_SECONDS)


def _run_remote(args: argparse.Namespace, bounds: result_bounds.ResultBounds) -> int:
    """Print the results of the daemon at the address --from."""
    from dogid.remote.connection import parse_address
    from dogid.remote.results import ResultStream, iterate_results

    address = parse_address(args.source, args.token_file)
    present = _wanted_presence(args)
    filters = {"label": args.label, "status": args.status, "reviewed": args.reviewed, "unsure": args.unsure}
    filters["present"] = None if present is None else str(present).lower()
    given = {name: value for name, value in filters.items() if value is not None} | bounds.to_query()

    if not args.follow:
        found = iterate_results(address, given, args.limit)
        if args.json:
            print_json({"results": list(found)})
        else:
            print_table([_table_row(result) for result in found], _HEADINGS)
        return 0
    printed: set[tuple[object, ...]] = set()
    if args.new:  # what was there before counts as printed, also where the connection is lost before anything comes
        printed.update(map(_identify, iterate_results(address, given, args.limit)))

    def print_former() -> None:
        for result in reversed(list(iterate_results(address, given, args.limit))):
            if _identify(result) not in printed:
                printed.add(_identify(result))
                _print_one(result, as_json=args.json)

    for result in ResultStream(address, print_message).iterate(print_former):
        if _matches(result, args, bounds) and _identify(result) not in printed:
            _print_one(result, as_json=args.json)
    return 0


def _identify(result: dict[str, Any]) -> tuple[object, ...]:
    """Return what differs where a result has changed: one may come both in a page and as an event."""
    word = result["reviewed"] or {}
    return result["id"], result["classified_at"], result["model"], word.get("verdict"), word.get("at")


def _wanted_presence(args: argparse.Namespace) -> bool | None:
    return True if args.present else False if args.absent else None


def _matches(result: dict[str, Any], args: argparse.Namespace, bounds: result_bounds.ResultBounds) -> bool:
    """Return whether a result is one of those that the flags ask for."""
    return (
        args.label in (None, result["label"], (result["reviewed"] or {}).get("label"))
        and _is_reviewed_so(result, args.reviewed)
        and args.status in (None, result["status"])
        and _wanted_presence(args) in (None, result["present"])
        and (args.unsure is None or _is_unsure_so(result, args.unsure))
        and bounds.allow(result)
    )


def _is_unsure_so(result: dict[str, Any], wanted: str) -> bool:
    return is_unsure(result) if wanted == "yes" else result["unsure"] is False and not is_unsure(result)


def _is_reviewed_so(result: dict[str, Any], wanted: str | None) -> bool:
    word = result["reviewed"]
    return wanted in (None, "false" if word is None else "true", word and word["verdict"])


def _print_one(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        print_table([_table_row(result)])


def _table_row(result: dict[str, Any]) -> tuple[str, ...]:
    if result["status"] == "classified":
        answer, score = one_line(result["label"]), f"{result['score']:.3f}"
    else:
        code = f": {result['error']['code']}" if result["error"] else ""
        answer, score = f"({result['status']}{code})", ""
    word = result["reviewed"]
    if word is not None:  # what a person said counts, and comes first
        said = f"{one_line(word['label'])} (a person" if word["label"] is not None else f"{word['verdict']} (a person"
        answer, score = f"{said}; the model: {' '.join(filter(None, (answer, score)))})", ""
    notes = ("unsure" if result["unsure"] else "", "" if result["present"] else "left the inbox")
    note = ", ".join(filter(None, notes))
    return str(result["id"]), result["classified_at"] or "", answer, score, one_line(result["file"]), note
