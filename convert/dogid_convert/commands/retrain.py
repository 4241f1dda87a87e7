"""`dogid retrain`: retrain a graph on labelled folders of photos."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid.errors import UsageError
from dogid.system.writable_folder import check_writable
from dogid_convert.commands.training_arguments import (
    add_training_arguments,
    check_outside,
    default_cache,
    make_recipe,
    read_dataset,
)
from dogid_convert.reports.training_report import GRAPH
from dogid_convert.support import interruption
from dogid_convert.support.explain_errors import load_packages, user_errors
from dogid_convert.support.progress import tracking
from dogid_convert.support.renamed_flags import add_old_name

if TYPE_CHECKING:
    from dogid.dataset.labelled_photos import Dataset, LabelledPhoto


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PHOTOS, --out, --base, and the flags of training, evaluation and cache."""
    add_training_arguments(parser)
    out = parser.add_mutually_exclusive_group(required=True)
    out.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder for retrained_graph.pb, retrained_labels.txt, report.json, manifest.json, "
        "report.html, training_embeddings.npz, confusion_matrix.png and, with --fine-tune, learning_curves.png",
    )
    add_old_name(out, "--output", "--out", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")


def run(args: argparse.Namespace) -> int:
    """Train, write the files and print the figures."""
    if args.out.exists() and not args.out.is_dir():
        raise UsageError(f"{args.out} is a file: give a folder with -o")
    check_outside(args.out, args.photos)
    check_writable(args.out)
    try:
        with interruption.sigint_tracked(), tracking() as track:
            dataset = read_dataset(args, track)
            load_packages()
            document = _retrain(args, dataset)
    except KeyboardInterrupt:
        _log(f"interrupted: {args.out} is as it was; bottlenecks computed so far are cached for the next run")
        raise
    from dogid_convert.training import report

    print(json.dumps(document, indent=2, ensure_ascii=False) if args.json else report.format_table(document))  # noqa: T201
    _log(f"wrote {args.out / GRAPH}, its labels, report, manifest and pictures")
    words = [
        "dogid",
        "convert",
        str(args.out),
        "-o",
        f"{args.out.resolve().name}.tflite",
        "--calibrate",
        str(args.photos),
    ]
    _log(f"next: {shlex.join(words)}")
    return 0


def _retrain(args: argparse.Namespace, dataset: "Dataset") -> dict[str, Any]:
    """Train and write the files; return the content of report.json."""
    import tensorflow as tf

    from dogid_convert.training import report, retrain

    tf.config.experimental.enable_op_determinism()
    recipe = make_recipe(args)
    if (args.epochs or args.patience) and not args.fine_tune:
        _log("--epochs and --patience do nothing without --fine-tune: the last layer alone is trained to its optimum")
    with user_errors(args.base or "the base", "run or train this graph"):
        result = retrain.retrain(dataset, recipe, args.cache or default_cache(), _progress, _log)
    graph = result.graph.SerializeToString(deterministic=True)
    document = report.build_document(result, recipe, graph)
    with user_errors(args.out, "write the graph"):
        report.write_files(result, graph, document, args.out)
    return document


def _progress(photos: Iterable["LabelledPhoto"]) -> Iterable["LabelledPhoto"]:
    """Show a progress bar for the photos where stderr is a terminal."""
    if not sys.stderr.isatty():
        return photos
    from rich.console import Console
    from rich.progress import track

    return track(list(photos), "bottlenecks", console=Console(stderr=True))


def _log(message: str) -> None:
    print(f"dogid: {message}", file=sys.stderr, flush=True)  # noqa: T201
