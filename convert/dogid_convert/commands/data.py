"""`dogid data`: versions of the training data, without the packages that training needs."""

import argparse
import json
import os
from pathlib import Path

from dogid import settings
from dogid.commands import reading_state
from dogid.commands.output import print_json, print_line, print_message
from dogid.file_names import one_line, shown_name
from dogid_convert.data import manifest
from dogid_convert.data.diff import compare
from dogid_convert.data.diff_text import as_document, as_text
from dogid_convert.data.export import Export, describe_export, export_reviewed
from dogid_convert.support.progress import tracking

_SIDE = (
    f"a {manifest.MANIFEST}, the output folder of `dogid retrain`, or a folder with a sub-folder of photos per label"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `diff OLD NEW` and `export DIR`, with --json."""
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
    export = actions.add_parser(
        "export",
        help="copy the photos that people have labelled into labelled folders",
        description="Copy the photos that people have labelled into a folder for each label, ready for `dogid train`. "
        "A numbered manifest, never changed, has who labelled what, and what the model had guessed. Those that "
        "were labelled otherwise since the last export move; those without a label are deleted where the inbox has "
        "them, and kept in DIR/.withdrawn/ where it has not. Files that you have changed stay as they are. Exit "
        "status: 0; 1 where labelled photos have gone; 2 where another state folder was exported to DIR.",
    )
    export.add_argument("folder", type=Path, metavar="DIR", help="where the folders are made")
    export.add_argument(
        "--hardlink",
        action="store_true",
        help="link files instead of copying them: an edit of one in DIR edits the one in the inbox",
    )
    reading_state.add_arguments(export)


def run(args: argparse.Namespace) -> int:
    """Run the action and return the exit status."""
    if args.action == "export":
        return _export(args)
    with tracking() as track:
        old, new = (manifest.load(path, track) for path in (args.old, args.new))
    names = shown_name(os.fsencode(args.old)), shown_name(os.fsencode(args.new))
    document = as_document(names, old, new, compare(old, new))
    print(json.dumps(document, indent=2, ensure_ascii=False) if args.json else as_text(document))  # noqa: T201
    return 0


def _export(args: argparse.Namespace) -> int:
    db = reading_state.open_state(args)
    with tracking() as track:
        chosen = settings.load(args)
        inbox, state = chosen.inbox.absolute(), chosen.state.absolute()
        export = export_reviewed(db, inbox, state, args.folder.absolute(), hardlink=args.hardlink, track=track)
    if args.json:
        print_json(describe_export(export))
    else:
        _print_export(export)
    return 1 if export.content.left_out else 0


def _print_export(export: Export) -> None:
    for label, count in export.content.counts().items():
        print_line(f"{one_line(label)}: {count}")
    for file, reason in export.content.left_out:
        print_message(f"{file}: left out: {reason}")
    for file in export.content.changed:
        print_message(f"{file}: was changed since it was exported; it stays as it is, and is not in the manifest")
    for file in export.withdrawn:
        print_message(f"{file}: has no label any more, and the inbox does not have it; it is kept there")
    corrected = sum(entry.is_correction for entry in export.content.entries)
    state = "" if export.is_new else ", which still holds"
    total = len(export.content.entries)
    print_line(
        f"{one_line(str(export.manifest))}{state}: {total} labelled photos, of which the model had {corrected} wrong"
    )
