"""`dogid data`: compare versions of the training data, without the packages that training needs."""

import argparse
import json
import os
from pathlib import Path

from dogid.file_names import shown_name
from dogid_convert.data import manifest
from dogid_convert.data.diff import compare
from dogid_convert.data.diff_text import as_document, as_text
from dogid_convert.support.progress import tracking

_SIDE = (
    f"a {manifest.MANIFEST}, the output folder of `dogid retrain`, or a folder with a sub-folder of photos per label"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `diff OLD NEW`, with --json."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    diff = actions.add_parser(
        "diff",
        help="show what changed between two versions of the training data",
        description="Show which photos were added, removed, relabelled, renamed or changed between two versions of the "
        "training data, and which are under two labels. Photos are identified by their contents. Exit status: 0, also "
        "where they differ; 2 where OLD or NEW cannot be read.",
    )
    diff.add_argument("old", type=Path, metavar="OLD", help=_SIDE)
    diff.add_argument("new", type=Path, metavar="NEW", help="the same")
    diff.add_argument("--json", action="store_true", help="print one JSON document with all files")


def run(args: argparse.Namespace) -> int:
    """Run the action and return the exit status."""
    with tracking() as track:
        old, new = (manifest.load(path, track) for path in (args.old, args.new))
    names = shown_name(os.fsencode(args.old)), shown_name(os.fsencode(args.new))
    document = as_document(names, old, new, compare(old, new))
    print(json.dumps(document, indent=2, ensure_ascii=False) if args.json else as_text(document))  # noqa: T201
    return 0
