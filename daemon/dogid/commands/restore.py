"""`dogid restore FILE`: put the ledger and the models of a backup into the state folder."""

import argparse
from pathlib import Path

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.byte_progress import show_byte_progress
from dogid.commands.output import print_json, print_line
from dogid.quantities import count_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add FILE, --dry-run and the flags of `reading_state`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a file that `dogid backup` has written")
    parser.add_argument("--dry-run", action="store_true", help="check the backup, and change nothing")
    reading_state.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Restore the backup, and print what was in it and where the former state is kept."""
    from dogid.backup.restore import restore_backup

    chosen = settings.load(args)
    state, inbox = chosen.state.absolute(), chosen.inbox.absolute()
    total = args.file.stat().st_size if args.file.is_file() else 0
    with show_byte_progress("restoring", total) as on_progress:
        restored = restore_backup(
            args.file.absolute(), state, dry_run=args.dry_run, on_progress=on_progress, inbox=inbox
        )
    manifest = restored.manifest
    kept = None if restored.kept is None else str(restored.kept)
    models = manifest.models
    if args.json:
        print_json(
            {"state": str(state), "results": manifest.results, "models": models, "made_at": manifest.made_at,
             "kept": kept, "dry_run": args.dry_run}
        )  # fmt: skip
        return 0
    verb = "would be restored" if args.dry_run else "restored"
    held = f"{count_of(manifest.results, 'result')} and {count_of(models, 'model')}"
    print_line(f"{held} of {manifest.made_at}: {verb} to {state}")
    if kept is not None:
        print_line(f"what was there before is in {kept}; to go back, stop dogid and move its files up again")
    return 0
