"""`dogid forget FILE...|--absent`: delete results of photos that are no longer in the inbox.

What people said about the photos stays, unless --reviews is given: then also of photos that were forgotten before.
"""

import argparse
from pathlib import Path

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line
from dogid.commands.reading_state import names_in_ledger
from dogid.errors import DogidError, UsageError
from dogid.file_names import one_line, possible_names, shown_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE..., --absent, --reviews, --dry-run and the flags of `reading_state`."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="a path in the inbox, or a name as in /results; or a SHA-256, with --reviews",
    )
    parser.add_argument("--absent", action="store_true", help="all photos that have left the inbox")
    parser.add_argument("--reviews", action="store_true", help="also what people said about them, which learning needs")
    parser.add_argument("--dry-run", action="store_true", help="only print what would be deleted")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Delete results and their histories, and print the files' names. Raise DogidError where a file is in the inbox."""
    from dogid.ledger.forget import find_absent_photos, forget_photos, forget_words

    if bool(args.files) == args.absent:
        raise UsageError("name files, or give --absent for all that have left the inbox")
    chosen = settings.load(args)
    inbox, state = chosen.inbox.absolute(), chosen.state.absolute()
    if not inbox.is_dir():
        raise DogidError(f"{inbox}: the inbox is missing, so nothing is known to have left it; is a disk not mounted?")
    db = reading_state.open_state(args)
    photos, words = (find_absent_photos(db, inbox), {}) if args.absent else _named_photos(args, inbox)
    if not args.dry_run:
        forget_photos(state, list(photos), with_reviews=args.reviews)
        forget_words(state, list(words))
    names = [shown_name(path) for path in (*photos.values(), *words.values())]
    if args.json:
        print_json({"forgotten": names, "dry_run": args.dry_run})
        return 0
    for name in names:
        print_line(f"{'would forget' if args.dry_run else 'forgotten'}: {one_line(name)}")
    if not names:
        print_line("no photo has left the inbox: nothing to forget")
    return 0


def _named_photos(args: argparse.Namespace, inbox: Path) -> tuple[dict[int, bytes], dict[str, bytes]]:
    """Return what the arguments name: photos by id, and contents without a photo by sha256, each with a path.

    Raise DogidError where one is there, or unknown.
    """
    from dogid.ledger import queries
    from dogid.ledger.forget import find_words_without_photo
    from dogid.ledger.presence import AbsenceCheck

    db = reading_state.open_state(args)
    check = AbsenceCheck(inbox)
    photos: dict[int, bytes] = {}
    words: dict[str, bytes] = {}
    for file in args.files:
        names = names_in_ledger(file, inbox)
        photo_id = next((number for name in names if (number := queries.find_photo(db, name))), None)
        if photo_id is None and args.reviews:
            paths = [path for name in names for path in possible_names(name)]
            if found := find_words_without_photo(db, paths, file.lower()):
                words |= found
                continue
        if photo_id is None:
            raise DogidError(f"{one_line(file)}: not in the ledger; nothing was forgotten")
        (path,) = db.execute("SELECT path FROM photo WHERE id = ?", (photo_id,)).fetchone()
        if not check.is_missing(bytes(path)):
            raise DogidError(
                f"{one_line(file)}: is in the inbox, and would be classified again; remove the file first."
                " Nothing was forgotten"
            )
        photos[photo_id] = bytes(path)
    return photos, words
