"""`dogid label FILE... LABEL|--confirm|--unsure|--undo`: a person's word on photos, kept beside the model's answers."""

import argparse
import os
import pwd
from pathlib import Path
from typing import Any

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line, print_message
from dogid.commands.reading_state import ask_inbox, find_inbox, names_in_ledger
from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line

_VERDICTS = {"confirm": "confirmed", "unsure": "unsure", "undo": "withdrawn"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE... LABEL, the flags that stand for a label, --rename, --by and the flags of `reading_state`."""
    parser.add_argument(
        "names", nargs="*", metavar="FILE... LABEL", help="photos as for `dogid why`; the label is last"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--confirm", action="store_true", help="the model's labels are right; only files are given")
    what.add_argument("--unsure", action="store_true", help="it cannot be said what it is; only files are given")
    what.add_argument("--undo", action="store_true", help="take back what was said; only files are given")
    what.add_argument(
        "--rename", nargs=2, metavar=("OLD", "NEW"), help="give label NEW to all photos whose label by people is OLD"
    )
    parser.add_argument("--by", metavar="NAME", help="who says so (default: the user)")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the word on all of the photos, or on none; print them. Raise DogidError where one is unknown."""
    from dogid.clock import Clock
    from dogid.commands.photo_to_label import check_unchanged, find_photo_to_label
    from dogid.ledger import queries
    from dogid.ledger.known_labels import list_known_labels
    from dogid.ledger.outside_changes import changing_ledger
    from dogid.ledger.review_writer import WordError, add_reviews, rename_label, say_label, say_verdict

    state, by = settings.load(args).state.absolute(), args.by or name_user()
    db = reading_state.open_state(args)
    try:
        if args.rename:
            if args.names:
                raise UsageError("--rename takes two labels, and no files")
            old, new = args.rename
            with changing_ledger(state, "label") as written, written:
                written.execute("BEGIN IMMEDIATE")
                count = rename_label(written, old, new, by, Clock().wall_ms())
            return _report_renamed(old, new, count, as_json=args.json)
        verdict = next((said for flag, said in _VERDICTS.items() if getattr(args, flag)), None)
        files, label = (args.names, None) if verdict else (args.names[:-1], args.names[-1] if args.names else None)
        if not files:
            raise UsageError("name one or more photos and then the label, or give --confirm, --unsure or --undo")
        word = say_verdict(verdict, by) if verdict else say_label(label or "", by)
    except WordError as error:
        raise UsageError(str(error)) from None
    inbox = find_inbox(args)
    if label is not None and _is_photo(db, label, inbox):
        raise UsageError(f"{one_line(label)}: is a photo; give the label after the photos")
    try:
        photos = [find_photo_to_label(db, file, inbox) for file in files]
    except DogidError as error:
        if verdict is None or len(files) < 2:
            raise
        raise DogidError(f"{error}. With --confirm, --unsure and --undo give photos only, and no label") from error
    ids = [photo.id for photo in photos]
    if word.label is not None:
        _hint_at_similar(word.label, list_known_labels(db))
    with changing_ledger(state, "label") as written, written:
        written.execute("BEGIN IMMEDIATE")
        for photo in photos:
            check_unchanged(written, photo)
        add_reviews(written, ids, word, Clock().wall_ms())
    results = [result for photo_id in ids if (result := queries.find_result(db, photo_id)) is not None]
    for result in results if label is not None else ():
        if result["status"] == "failed":
            print_message(
                f"{one_line(result['file'])}: nothing can be learned from it while it cannot be read: "
                f"{one_line(result['error']['message'])}"
            )
    if args.json:
        print_json({"results": results})
        return 0
    for result in results:
        print_line(_describe(result))
    return 0


def _report_renamed(old: str, new: str, count: int, *, as_json: bool) -> int:
    if as_json:
        print_json({"renamed": count, "from": old, "to": new})
    else:
        print_line(f"{one_line(old)} is now {one_line(new)}: {count} photo{'' if count == 1 else 's'}")
    return 0


def _is_photo(db: Any, word: str, inbox: Path) -> bool:
    from dogid.ledger import queries

    names = ask_inbox(inbox, lambda: names_in_ledger(word, inbox))
    if isinstance(names, str):  # the inbox does not answer
        names = [word]
    return any(queries.find_photo(db, name) is not None for name in names)


def _hint_at_similar(label: str, known: list[str]) -> None:
    """Say that a label is new where it may be a misspelt one."""
    from dogid.ledger.stored_labels import find_similar_labels

    similar = [] if label in known else find_similar_labels(label, known, 1)
    if similar:
        print_message(
            f"{label} is a new label; is it {similar[0]}? Then: dogid label --rename {label!r} {similar[0]!r}"
        )


def _describe(result: dict[str, Any]) -> str:
    word = result["reviewed"]
    said = "no word stands" if word is None else word["label"] or word["verdict"]
    answer = f"{result['label']} {result['score']:.3f}" if result["label"] is not None else result["status"]
    return f"{one_line(result['file'])}: {one_line(said)} (the model: {one_line(answer)})"


def name_user() -> str:
    """Return the name of the person who runs the command, also by sudo as another user."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
