"""`dogid export`: results for spreadsheets, camera trap programs and GBIF."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands import reading_state, result_bounds
from dogid.commands.output import print_json, print_message
from dogid.commands.row_progress import find_last_id, show_row_progress
from dogid.conditions import rows_left_out
from dogid.errors import DogidError, UsageError
from dogid.quantities import count_of

if TYPE_CHECKING:
    from dogid.ledger.queries import ResultFilter
    from dogid.ledger.reading_connection import ReadingConnection
    from dogid.result_document import Result

CSV, CAMTRAP, MEGADETECTOR = "csv", "camtrap-dp", "megadetector"
_STDOUT = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add -o, --format, the filters and the flags of `reading_state`."""
    parser.add_argument(
        "-o", "--output", type=Path, default=_STDOUT, metavar="FILE|DIR",
        help="where to write: a file, which is replaced; a folder for camtrap-dp; default: - (stdout)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=(CSV, CAMTRAP, MEGADETECTOR), default=CSV,
        help="csv for spreadsheets; camtrap-dp for GBIF, a folder; megadetector for Timelapse (default: csv)",
    )  # fmt: skip
    result_bounds.add_moments(parser)
    parser.add_argument("--label", metavar="L", help="only photos with this label, by the model or a person")
    result_bounds.add_min_score(parser)
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the export; print a summary where stdout is free for it."""
    wanted = read_filter(args)
    chosen = settings.load(args)
    to_stdout = args.output == _STDOUT
    if to_stdout and args.format == CAMTRAP:
        raise UsageError("camtrap-dp is a folder of files: name one with -o DIR")
    if to_stdout and args.json:
        raise UsageError("--json prints a summary to stdout, where the export goes: name a file with -o")
    target = args.output.absolute()
    if not to_stdout:
        for folder, what in ((chosen.inbox, "inbox"), (chosen.state, "state folder")):
            if target.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"{args.output} lies in the {what}: name another place with -o")
    from dogid.exporting.whole_files import PartlyWrittenError

    db = reading_state.open_state(args)
    _check_label(db, args.label)
    started, count = time.monotonic(), 0
    missing, others = tuple[str, ...](), tuple[str, ...]()
    last = find_last_id(db)
    with show_row_progress("exporting") as on_row:

        def on_batch(batch: "list[Result]") -> None:
            nonlocal count
            count += sum(_is_exported(result, args.format) for result in batch)
            if batch:
                on_row(batch[-1]["id"], last)

        try:
            if args.format == CAMTRAP:
                from dogid.exporting.camtrap_package import write_package

                package = write_package(db, wanted, target, on_batch)
                missing, others = package.missing, package.others
            else:
                _write_text(_make_text(db, wanted, args.format, on_batch), None if to_stdout else target)
        except BrokenPipeError:
            raise
        except PartlyWrittenError as error:
            raise DogidError(
                f"{args.output}: {error}: {', '.join(error.written)} are new already, the others as before: make way"
                " for it, and export again"
            ) from error
        except OSError as error:
            raise DogidError(
                f"{args.output}: {error.strerror}: nothing was written; name another place with -o, or make room"
            ) from error
    if others:
        print_message(f"other-deployments.csv keeps the rows of {count_of(len(others), 'camera')} without photos here")
    _report(args, db, count, missing, time.monotonic() - started)
    return 0


def read_filter(args: argparse.Namespace) -> "ResultFilter":
    """Return the filter that the flags ask for. Raise UsageError."""
    from dogid.ledger.queries import ResultFilter

    bounds = result_bounds.read_bounds(args)
    return ResultFilter(
        label=args.label, min_score=bounds.min_score, since_ms=bounds.since_ms, until_ms=bounds.until_ms
    )


def _check_label(db: "ReadingConnection", label: str | None) -> None:
    from dogid.ledger.known_labels import explain_unknown_label

    problem = None if label is None else explain_unknown_label(db, label)
    if problem is not None:
        raise UsageError(f"--label: {problem}")


def _is_exported(result: "Result", kind: str) -> bool:
    return kind == CSV or result["status"] != "pending"


def _make_text(
    db: "ReadingConnection", wanted: "ResultFilter", kind: str, on_batch: "Callable[[list[Result]], None]"
) -> Iterator[str]:
    from dogid.exporting.all_results import iterate_batches
    from dogid.exporting.megadetector import encode_megadetector
    from dogid.result_table import encode_results, header_line

    if kind == MEGADETECTOR:
        for part, batch in encode_megadetector(db, wanted):
            yield part
            on_batch(batch)
        return
    yield header_line()
    for batch in iterate_batches(db, wanted):
        yield encode_results(batch)
        on_batch(batch)


def _write_text(parts: Iterator[str], target: Path | None) -> None:
    """Write parts of a text to stdout, or to a file, which appears whole or not at all."""
    if target is None:
        sys.stdout.flush()
        for part in parts:
            _write_all(sys.stdout.fileno(), part.encode())
        return
    from dogid.exporting.whole_files import WholeFiles

    if target.is_dir():
        raise UsageError(f"{target} is a folder: name a file with -o")
    if not target.parent.is_dir():
        raise UsageError(f"{target.parent}: there is no such folder: make it, or name another place with -o")
    with WholeFiles(target.parent) as files:
        file = files.open(target.name)
        for part in parts:
            file.write(part)
        files.commit()


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _report(
    args: argparse.Namespace, db: "ReadingConnection", count: int, missing: tuple[str, ...], seconds: float
) -> None:
    if db.damaged_rows:
        print_message(rows_left_out(db.damaged_rows))
    if count == 0:
        filters = (args.since, args.until, args.label, args.min_score)
        why = "there is no result yet" if filters == (None,) * len(filters) else "no photo is within the filters"
        print_message(f"the export is empty: {why}")
    if args.json:
        summary = {"output": str(args.output), "format": args.format, "photos": count, "seconds": round(seconds, 3)}
        print_json(summary | {"missing": list(missing), "damaged": db.damaged_rows})
        return
    if args.output != _STDOUT:
        print_message(f"{args.output}: {count} photos")
    if missing:
        print_message("left empty, as dogid cannot know it:")
        for line in missing:
            print_message(f"  {line}")
        print_message(
            "what you fill in in deployments.csv, labels.csv and datapackage.json stays when you export there again"
        )
