"""`dogid learn --check`, `--relabel`, `--drop`, `--keep`, `--ask-again`: photos whose labels contradict others."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid.commands import reading_state
from dogid.commands.label import name_user
from dogid.commands.output import print_json, print_line
from dogid.errors import UsageError
from dogid.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FLAGS = {
    "relabel": "give photos of the model's own training another label: that which contradicts theirs, or --to LABEL;"
    " PHOTOS are SHA256s, groups such as 'other>pug', or all, as --check lists them",
    "drop": "leave such photos out from now on",
    "keep": "such photos are labelled rightly",
    "ask_again": "take back what was answered about such photos",
}


def add_flags(what: Any, parser: argparse.ArgumentParser) -> None:
    """Add --check and the answers to a group of which one is given, and their details to the parser."""
    what.add_argument("--check", action="store_true", help="only list photos whose labels contradict others")
    for name, text in _FLAGS.items():
        what.add_argument(f"--{name.replace('_', '-')}", nargs="+", metavar="PHOTOS", help=text)
    parser.add_argument("--to", metavar="LABEL", help="for --relabel: what the photos show")
    parser.add_argument("--by", metavar="NAME", help="for an answer: who gives it (default: the user)")


def is_asked(args: argparse.Namespace) -> bool:
    """Whether contradictions are to be listed or answered, and nothing is to be learned. Raise UsageError."""
    if args.to is not None and not args.relabel:
        raise UsageError("--to goes with --relabel")
    return args.check or any(getattr(args, name) for name in _FLAGS)


def list_or_answer(args: argparse.Namespace, chosen: Settings, state: Path, report: "Callable[[str], None]") -> int:
    """Print contradictions, after an answer was written where one is given. Raise DogidError."""
    from dogid.learning_run.report import format_contradictions
    from dogid.learning_run.run import find_contradictions
    from dogid.learning_run.stored_contradictions import list_stored_contradictions

    db = reading_state.open_state(args)
    found = find_contradictions(chosen, state, db, report)
    asked = list_stored_contradictions(db, found)
    if not args.check:
        _write_answer(args, state, asked)
        asked = list_stored_contradictions(db, found)
    answered = [one for one in asked if one["answer"] is not None]
    open_ones = {one["sha256"] for one in asked if one["answer"] is None}
    found = [one for one in found if one["name"] is not None or one["sha256"] in open_ones]
    if args.json:
        print_json({"contradictions": found, "answered": answered})
    else:
        for line in format_contradictions(found, answered):
            print_line(line)
    return 0


def _write_answer(args: argparse.Namespace, state: Path, asked: "Sequence[dict[str, Any]]") -> None:
    from dogid.clock import Clock
    from dogid.learning_run.stored_contradictions import UnknownPhotoError, choose_photos, make_words
    from dogid.ledger.outside_changes import changing_ledger
    from dogid.ledger.review_writer import WordError, add_training_photo_reviews

    name = next(name for name in _FLAGS if getattr(args, name))
    answer = None if name == "ask_again" else name
    try:
        hashes = choose_photos(asked, getattr(args, name), answered=name == "ask_again")
        words = make_words(asked, hashes, answer, args.to, args.by or name_user())
    except (WordError, UnknownPhotoError) as error:
        raise UsageError(str(error)) from None
    with changing_ledger(state, "learn") as db, db:
        db.execute("BEGIN IMMEDIATE")
        for photos, word in words:
            add_training_photo_reviews(db, photos, word, Clock().wall_ms())
