"""`dogid export`: results of a ledger or of a batch for spreadsheets, camera trap programs and GBIF."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dogid import settings
from dogid.commands import reading_state, result_bounds
from dogid.commands.installed import check_installed
from dogid.commands.output import print_json, print_message
from dogid.commands.row_progress import find_last_id, show_row_progress
from dogid.conditions import rows_left_out
from dogid.errors import DogidError, UsageError
from dogid.quantities import count_of

if TYPE_CHECKING:
    from dogid.ledger.queries import ResultFilter
    from dogid.result_document import Result

CSV, CAMTRAP, MEGADETECTOR = "csv", "camtrap-dp", "megadetector"
_STDOUT = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add -o, --format, the filters and the flags of `reading_state`."""
    parser.add_argument(
        "-o", "--output", type=Path, default=_STDOUT, metavar="FILE|DIR",
        help="where to write: a file, which replaces a former export; a folder for camtrap-dp; default: - (stdout)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace FILE also where it is no export")
    parser.add_argument(
        "--format", choices=(CSV, CAMTRAP, MEGADETECTOR), default=CSV,
        help="csv for spreadsheets; camtrap-dp for GBIF, a folder; megadetector for Timelapse (default: csv)",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="archive", metavar="OUT", help="results that `dogid batch` has written, instead of a daemon's"
    )
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
        if args.format != CAMTRAP:
            _check_replaceable(target, args)
    from dogid.exporting.whole_files import PartlyWrittenError

    found = _open_ledger(args, wanted) if args.archive is None else _open_archive(args, wanted)
    started, count = time.monotonic(), 0
    missing, others = tuple[str, ...](), tuple[str, ...]()
    with show_row_progress("exporting") as on_row:

        def on_batch(batch: "list[Result]") -> None:
            nonlocal count
            count += sum(_is_exported(result, args.format) for result in batch)
            if batch:
                on_row(*found.progress(batch))

        try:
            if args.format == CAMTRAP:
                from dogid.exporting.camtrap_package import write_package

                package = write_package(found.batches, target, on_batch)
                missing, others = package.missing, package.others
            else:
                _write_text(_make_text(found.batches, args.format, on_batch), None if to_stdout else target)
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
    _report(args, found.count_damaged(), count, missing, time.monotonic() - started)
    return 0


def read_filter(args: argparse.Namespace) -> "ResultFilter":
    """Return the filter that the flags ask for. Raise UsageError."""
    from dogid.ledger.queries import ResultFilter

    bounds = result_bounds.read_bounds(args)
    return ResultFilter(
        label=args.label, min_score=bounds.min_score, since_ms=bounds.since_ms, until_ms=bounds.until_ms
    )


@dataclass(frozen=True, slots=True)
class _Results:
    """The results to export."""

    batches: "Iterable[list[Result]]"
    progress: "Callable[[list[Result]], tuple[int, int]]"
    """Given a batch, how far it is of how much."""
    count_damaged: Callable[[], int] = lambda: 0
    """Returns how many were left out, as they are damaged."""


def _open_ledger(args: argparse.Namespace, wanted: "ResultFilter") -> _Results:
    from dogid.exporting.all_results import iterate_batches
    from dogid.ledger.known_labels import explain_unknown_label

    db = reading_state.open_state(args)
    problem = None if args.label is None else explain_unknown_label(db, args.label)
    if problem is not None:
        raise UsageError(f"--label: {problem}")
    last = find_last_id(db)
    return _Results(iterate_batches(db, wanted), lambda batch: (batch[-1]["id"], last), lambda: db.damaged_rows)


def _open_archive(args: argparse.Namespace, wanted: "ResultFilter") -> _Results:
    check_installed("pyarrow", "parquet", "dogid export --from")
    from dogid.archive.output_folder import read_output
    from dogid.archive.reading import iterate_matching
    from dogid.archive.remote import is_url

    output = read_output(args.archive)
    if args.output != _STDOUT:
        for place, what in ((output.title, "results"), (output.header.source, "photos")):
            if not is_url(place) and args.output.resolve().is_relative_to(Path(place).resolve()):
                raise UsageError(f"{args.output} lies among the {what}, in {place}: name another place with -o")
    if args.label is not None and args.label not in output.header.model.labels:
        raise UsageError(
            f"--label: there is no label {args.label!r}; labels are {', '.join(output.header.model.labels[:20])}"
        )
    total, seen = output.count_rows(), 0

    def progress(batch: "list[Result]") -> tuple[int, int]:
        nonlocal seen
        seen += len(batch)
        return seen, total

    return _Results(iterate_matching(output, wanted), progress)


def _is_exported(result: "Result", kind: str) -> bool:
    return kind == CSV or result["status"] != "pending"


def _make_text(
    batches: "Iterable[list[Result]]", kind: str, on_batch: "Callable[[list[Result]], None]"
) -> Iterator[str]:
    from dogid.exporting.megadetector import encode_megadetector
    from dogid.result_table import encode_results, header_line

    if kind == MEGADETECTOR:
        for part, batch in encode_megadetector(batches):
            yield part
            on_batch(batch)
        return
    yield header_line()
    for batch in batches:
        yield encode_results(batch)
        on_batch(batch)


def _check_replaceable(target: Path, args: argparse.Namespace) -> None:
    from dogid.exporting.replaceable_file import check_replaceable, is_megadetector, is_table

    try:
        check_replaceable(target, is_table if args.format == CSV else is_megadetector, force=args.force)
    except OSError as error:
        raise UsageError(f"{args.output}: {error.strerror}; name another place with -o") from error


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


def _report(args: argparse.Namespace, damaged: int, count: int, missing: tuple[str, ...], seconds: float) -> None:
    if damaged:
        print_message(rows_left_out(damaged))
    if count == 0:
        filters = (args.since, args.until, args.label, args.min_score)
        why = "there is no result yet" if filters == (None,) * len(filters) else "no photo is within the filters"
        print_message(f"the export is empty: {why}")
    if args.json:
        summary = {"output": str(args.output), "format": args.format, "photos": count, "seconds": round(seconds, 3)}
        print_json(summary | {"missing": list(missing), "damaged": damaged})
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
