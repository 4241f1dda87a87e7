"""`dogid sort --to DIR`: photos in folders by label; `dogid sort --undo DIR`: all of that taken back."""

import argparse
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line, print_message
from dogid.commands.row_progress import find_last_id, show_row_progress
from dogid.conditions import rows_left_out
from dogid.errors import ConflictError, DogidError, UsageError
from dogid.quantities import count_of

if TYPE_CHECKING:
    from dogid.sorting.sort_report import SortReport
    from dogid.sorting.undo import UndoReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --to, --undo, --by, the kinds, --dry-run and the flags of `reading_state`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--to", type=Path, metavar="DIR", help="the folder to make folders in")
    what.add_argument("--undo", type=Path, metavar="DIR", help="take back what was sorted into DIR and is unchanged")
    parser.add_argument("--by", choices=("label",), default="label", help="what the folders are named after")
    kind = parser.add_mutually_exclusive_group()
    for name, meaning in (
        ("copy", "copy the photos (the default)"),
        ("hardlink", "give each file a second name, which takes no room; on the same disk only"),
        ("symlink", "make links, which point to nothing once a photo leaves the inbox"),
    ):
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name, help=meaning)
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Sort, or undo; print what became of the photos. 1 where some could not be sorted, or were kept."""
    if args.undo is not None:
        if args.kind is not None:
            raise UsageError(f"--{args.kind}: --undo removes what is unchanged, whatever it is, and says what it keeps")
        return _undo(args)
    from dogid.exporting.all_results import iterate_batches
    from dogid.ledger.queries import ResultFilter
    from dogid.sorting.placing import Kind
    from dogid.sorting.sort_report import SortReport
    from dogid.sorting.sorter import Sorter, check_place

    chosen = settings.load(args)
    inbox, folder = chosen.inbox.absolute(), args.to.absolute()
    check_place(folder, inbox, chosen.state.absolute())
    if not inbox.is_dir():
        raise UsageError(f"{inbox}: there is no such inbox; is its disk not mounted?")
    db = reading_state.open_state(args)
    report, last = SortReport(), find_last_id(db)
    kind = Kind(args.kind or "copy")
    made = Sorter(folder, inbox, kind, replaces_kinds=args.kind is not None, is_rehearsal=args.dry_run)
    with _faults_explained(args.to), made as sorter, show_row_progress("sorting") as on_row:
        for batch in iterate_batches(db, ResultFilter()):
            sorter.sort(batch, report)
            on_row(batch[-1]["id"], last)
    if db.damaged_rows:
        print_message(rows_left_out(db.damaged_rows))
    _print_sorted(args, report)
    return 1 if report.failed else 0


@contextlib.contextmanager
def _faults_explained(folder: Path) -> Iterator[None]:
    """Make errors of the folder's disk errors that name the way out."""
    from dogid.sorting.placing import LinkError

    again = "what was done is kept, and the command can be repeated"
    try:
        yield
    except BlockingIOError as error:
        raise ConflictError(f"{folder}: another process sorts into it; wait for its end") from error
    except LinkError as error:
        raise UsageError(f"{folder}: {error}") from error
    except OSError as error:
        raise DogidError(f"{folder}: {error.strerror}: {again} once it can be written") from error
    except sqlite3.OperationalError as error:
        raise DogidError(f"{folder}: its list of sorted photos cannot be written ({error}): {again}") from error


def _print_sorted(args: argparse.Namespace, report: "SortReport") -> None:
    if args.json:
        print_json(
            {"folder": str(args.to), "dry_run": args.dry_run, "placed": report.placed, "moved": report.moved,
             "replaced": report.replaced, "already": report.already, "unsure": report.unsure,
             "left_out": report.left_out, "left_out_reasons": report.left_out_reasons,
             "left_out_photos": report.left_out_photos, "failed": report.failed, "folders": report.labels,
             "problems": report.reasons}
        )  # fmt: skip
        return
    for name, count in sorted(report.labels.items()):
        print_line(f"{count:>8}  {name}")
    would = "would be " if args.dry_run else ""
    parts = [f"{count_of(report.placed, 'photo')} {would}sorted", f"{report.moved} {would}moved"]
    if report.replaced:
        parts.append(f"{report.replaced} {would}replaced by a {args.kind or 'link that leads to its photo'}")
    parts += [f"{report.already} there already, or of the same content", f"{report.left_out} left out"]
    why = ", ".join(f"{count} {reason}" for reason, count in sorted(report.left_out_reasons.items()))
    print_message(f"{args.to}: {', '.join(parts)}" + (f" ({why}; --json names them)" if why else ""))
    for reason in report.reasons:
        print_message(reason)


def _undo(args: argparse.Namespace) -> int:
    from dogid.sorting.undo import undo_sort

    with _faults_explained(args.undo), show_row_progress("removing") as on_photo:
        report = undo_sort(args.undo.absolute(), on_photo, is_rehearsal=args.dry_run)
    _print_undone(args, report)
    return 1 if report.kept else 0


def _print_undone(args: argparse.Namespace, report: "UndoReport") -> None:
    if args.json:
        print_json(
            {"folder": str(args.undo), "dry_run": args.dry_run, "removed": report.removed, "gone": report.gone,
             "kept": report.kept, "problems": report.reasons}
        )  # fmt: skip
        return
    would = "would be " if args.dry_run else ""
    print_message(f"{args.undo}: {count_of(report.removed, 'photo')} {would}removed, {report.kept} {would}kept")
    for reason in report.reasons:
        print_message(reason)
