"""`dogid backup FILE`: save the ledger and the models of the state folder to one file, also while the daemon runs."""

import argparse
from pathlib import Path

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.byte_progress import show_byte_progress
from dogid.commands.output import print_json, print_line
from dogid.quantities import count_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, --force and the flags of `reading_state`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the file to write; it is a zip")
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the backup, and print what is in it."""
    from dogid.backup.write import measure, write_backup

    reading_state.open_state(args).close()  # for its messages about missing ledgers and rights
    chosen = settings.load(args)
    state, inbox = chosen.state.absolute(), chosen.inbox.absolute()
    target = args.file.absolute()
    with show_byte_progress("backing up", measure(state) * 2) as on_progress:
        manifest = write_backup(state, target, force=args.force, on_progress=on_progress, inbox=inbox)
    size, models = target.stat().st_size, manifest.models
    if args.json:
        print_json(
            {"file": str(target), "bytes": size, "results": manifest.results, "models": models,
             "made_at": manifest.made_at}
        )  # fmt: skip
    else:
        held = f"{count_of(manifest.results, 'result')} and {count_of(models, 'model')}"
        print_line(f"{args.file}: {held} in {size / 1e6:.1f} MB")
    return 0
