"""`dogid batch`: a whole archive of photos, on this machine or on a Ray cluster, into Parquet files."""

import argparse
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.commands.installed import check_installed
from dogid.commands.output import print_json, print_line, print_message
from dogid.errors import UsageError
from dogid.quantities import count_of

if TYPE_CHECKING:
    from dogid.archive.batch import Batch

AUTO, LOCAL, RAY = "auto", "local", "ray"
_SETTINGS = (*settings.MODEL_SETTINGS, *settings.DECODING_SETTINGS, "workers")
_IMPORT = "import"
_LISTED_EVERY = 100_000  # photos between two messages while an archive is listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add SOURCE, -o, --engine, --address, --embeddings, --json, and the settings that affect a single photo."""
    parser.usage = "dogid batch SOURCE -o OUT [flags]\n       dogid batch import OUT [--state DIR] [--inbox DIR]"
    parser.add_argument(
        "source", metavar="SOURCE",
        help="a folder (./import for one of that name), a list of photos (.parquet or .csv with a column path, file,"
        " url, filename or key; or .txt, a path a line), or a URL (s3://BUCKET/...); or the word import",
    )  # fmt: skip
    parser.add_argument("results", nargs="?", metavar="OUT", help="with import: the folder that a batch has written")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="the folder or URL for results; the same again does only what is missing"
    )
    parser.add_argument(
        "--engine", choices=(AUTO, LOCAL, RAY), default=AUTO,
        help="local: threads of this machine; ray: a cluster; auto: ray where there is an address (default: auto)",
    )  # fmt: skip
    parser.add_argument("--address", help="of a Ray cluster that runs (default: one on this machine)")
    parser.add_argument("--embeddings", action="store_true", help="keep what the network makes of each photo, too")
    parser.add_argument("--json", action="store_true", help="print a summary as one JSON document")
    settings.add_flags(parser, (*_SETTINGS, "inbox"))


def run(args: argparse.Namespace) -> int:
    """Classify what is missing; return 1 where a photo of the archive has failed."""
    if args.source == _IMPORT:
        return _import(args)
    if args.results is not None:
        raise UsageError(f"{args.results}: name one source; a folder for results is named with -o")
    if args.output is None:
        raise UsageError("name the folder for the results: dogid batch SOURCE -o OUT")
    check_installed("pyarrow", "parquet", "dogid batch")
    engine = _choose_engine(args)
    from dogid.archive import batch as batches
    from dogid.archive.counts import summarise
    from dogid.archive.open_source import open_source
    from dogid.archive.progress import show_progress
    from dogid.shelf.open_model import open_model

    chosen = settings.load(args)
    source = open_source(args.source)
    batches.check_places(source, args.output)
    model = open_model(chosen, embeddings=args.embeddings)
    print_message(f"{model.file.name} is fed {model.input.describe()}")
    for warning in model.warnings:
        print_message(f"warning: {warning}")
    opening = batches.opening_batch_output(source, args.output, model, chosen, embeddings=args.embeddings)
    with opening as (output, raised):
        batch = batches.prepare(
            source, output, model, chosen, embeddings=args.embeddings, raised_limits=raised, on_listed=_report_listed
        )
        _report_start(batch, engine, is_chosen=args.engine != AUTO)
        try:
            with show_progress(batch.counts, print_message):
                _run_engine(batch, engine, args.address or os.environ.get("RAY_ADDRESS") or None)
        except KeyboardInterrupt:
            print_message(f"interrupted: {batch.counts.new:,} new results are kept; the same command does the rest")
            raise
        done = output.read_done(batch.manifest.read_ids())
        batch.counts.before = len(done.ids) - batch.counts.new
        summary = summarise(
            batch.counts, done, output=output.title, source=source.name, engine=engine, model=model.file.name
        )
    for problem in source.list_problems():
        print_message(problem)
    if args.json:
        print_json(summary | {"problems": source.list_problems()})
    else:
        _print_summary(summary)
    return int(bool(summary["counts"]["failed"] or summary["missing"] or source.list_problems()))


def _import(args: argparse.Namespace) -> int:
    if args.results is None or args.output is not None:
        raise UsageError("name the folder with the results: dogid batch import OUT --state DIR")
    check_installed("pyarrow", "parquet", "dogid batch")
    from dogid.commands import batch_import

    return batch_import.run(args, args.results)


def _choose_engine(args: argparse.Namespace) -> str:
    """Return the engine to use: auto is Ray only where a cluster is named, since one machine needs none.

    Raise UsageError where Ray is asked for, and missing.
    """
    if args.address == "":
        raise UsageError("--address is empty: give the address of a Ray cluster, or leave it out")
    if args.engine == LOCAL and args.address is not None:
        raise UsageError("--address is of a Ray cluster, and --engine local uses none: leave out one of them")
    if args.engine == RAY or (args.engine == AUTO and (args.address or os.environ.get("RAY_ADDRESS"))):
        check_installed("ray", "ray", "dogid batch")
        return RAY
    return LOCAL


def _run_engine(batch: "Batch", engine: str, address: str | None) -> None:
    if engine == RAY:
        from dogid.archive.ray_engine import classify_on_ray

        classify_on_ray(batch, address)
        return
    from dogid.archive.local_engine import classify_locally

    classify_locally(batch)


def _report_listed(count: int) -> None:
    if count % _LISTED_EVERY == 0 and count:
        print_message(f"listing: {count:,} photos so far")


def _report_start(batch: "Batch", engine: str, *, is_chosen: bool) -> None:
    """Print how much there is to do; a person who begins with an archive reads once of the other way."""
    counts = batch.counts
    if not counts.photos:
        print_message(f"no photos were found in {batch.source.name}")
        return
    known = f", {counts.before:,} of them done before" if counts.before else ""
    print_message(f"{count_of(counts.photos, 'photo')} in {batch.source.name}{known}; engine: {engine}")
    if engine == LOCAL and not is_chosen and counts.left and not counts.before and sys.stderr.isatty():
        print_message("it runs on this machine; on a Ray cluster with --address")


def _print_summary(summary: dict[str, Any]) -> None:
    counts = summary["counts"]
    rate = f" in {summary['seconds']:.1f} s ({summary['photos_per_second']:.1f} photos/s)" if summary["new"] else ""
    print_line(
        f"{summary['output']}: {counts['classified']:,} classified, {counts['failed']:,} failed;"
        f" {summary['new']:,} new{rate}"
    )
    for code, number in sorted(summary["errors"].items()):
        print_line(f"  {code}: {number:,}")
    if counts["failed"]:
        out = shlex.quote(summary["output"])
        print_line(f"to see which: dogid export --from {out} -o all.csv (status is failed, error_message says why)")
