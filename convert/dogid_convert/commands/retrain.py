"""`dogid retrain`: retrain a graph on labelled folders of photos."""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid.errors import UsageError
from dogid_convert.support import interruption
from dogid_convert.support.explain_errors import load_packages, user_errors
from dogid_convert.support.progress import tracking
from dogid_convert.support.renamed_flags import add_old_name
from dogid_convert.support.writable_folder import check_writable

if TYPE_CHECKING:
    from dogid.dataset.labelled_photos import LabelledPhoto
    from dogid_convert.training.retrain import Recipe

_SMALLEST, _LARGEST = 32, 1024  # pixels of an input's side


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PHOTOS, --out, --base, and the flags of training, evaluation and cache."""
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="a folder with one sub-folder of photos per label")
    out = parser.add_mutually_exclusive_group(required=True)
    out.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder for retrained_graph.pb, retrained_labels.txt, report.json, manifest.json, "
        "confusion_matrix.png and, with --fine-tune, learning_curves.png",
    )
    add_old_name(out, "--output", "--out", type=Path)
    parser.add_argument(
        "--base",
        metavar="GRAPH",
        help="the network to start from: a graph (.pb, .pbtxt, SavedModel folder, .keras, .h5), also an earlier "
        "retrained_graph.pb, or keras:mobilenet_v1, keras:mobilenet_v2, keras:inception_v3 (downloaded); default: the "
        "graph that dogid ships",
    )
    parser.add_argument("--seed", type=_natural, default=0, metavar="N", help="random seed (default 0)")
    parser.add_argument(
        "--augment",
        type=_natural,
        default=0,
        metavar="N",
        help="also train on N randomly augmented copies of each photo (default 0)",
    )
    parser.add_argument(
        "--fine-tune",
        type=_natural,
        default=0,
        metavar="N",
        help="also train the last N convolutions of the network (default 0: the last layer only)",
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        metavar="N",
        help="fine-tuning epochs (default: up to 12 with early stopping); exactly N unless --patience is given",
    )
    parser.add_argument(
        "--patience",
        type=_natural,
        metavar="N",
        help="early stopping: use another tenth of the photos for validation, stop when the loss on them has not "
        "fallen for N epochs, and keep the best epoch's weights; 0: never (default: 3 for --fine-tune without "
        "--epochs, else 0)",
    )
    parser.add_argument("--size", type=_side, metavar="N", help="side of the input in pixels (default: the base's)")
    parser.add_argument(
        "--class-weight",
        type=_factor,
        action="append",
        default=[],
        metavar="LABEL=F",
        help="weight of that label's photos in training (default 1); may be repeated",
    )
    add_old_name(parser, "--importance", "--class-weight", type=_factor, append=True)
    parser.add_argument(
        "--prior",
        type=_factor,
        action="append",
        default=[],
        metavar="LABEL=F",
        help="how many times likelier that label is in use than among PHOTOS (default 1); may be repeated",
    )
    parser.add_argument(
        "--group-by",
        type=_pattern,
        metavar="REGEX",
        help="evaluate by cross-validation with whole groups left out: the beginning of a file's name that REGEX "
        "matches (or its first group) is the photo's source or camera",
    )
    parser.add_argument(
        "--use-all", action="store_true", help="after the evaluation, train the final graph on all photos"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where bottlenecks are cached for later runs (default $XDG_CACHE_HOME/dogid or ~/.cache/dogid); "
        "its folder bottlenecks may be deleted at any time",
    )
    parser.add_argument(
        "--cache-size",
        type=_size,
        metavar="SIZE",
        help="before and after the run, remove the least recently used bottlenecks above this size, in bytes or with "
        "K, M or G (default 2G)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")


def run(args: argparse.Namespace) -> int:
    """Train, write the files and print the figures."""
    if args.out.exists() and not args.out.is_dir():
        raise UsageError(f"{args.out} is a file: give a folder with -o")
    _check_outside(args.out, args.photos)
    check_writable(args.out)
    try:
        with interruption.sigint_tracked():
            load_packages()
            document = _retrain(args)
    except KeyboardInterrupt:
        _log(f"interrupted: {args.out} is as it was; bottlenecks computed so far are cached for the next run")
        raise
    from dogid_convert.training import report

    print(json.dumps(document, indent=2, ensure_ascii=False) if args.json else report.format_table(document))  # noqa: T201
    _log(f"wrote {args.out / report.GRAPH}, its labels, report, manifest and pictures")
    return 0


def _check_outside(output: Path, photos: Path) -> None:
    """Raise UsageError where the output would be among the labels' folders: the next run would take it for a label."""
    inside, of = output.resolve(), photos.resolve()
    if inside.is_relative_to(of) and not any(part.startswith(".") for part in inside.relative_to(of).parts[:1]):
        raise UsageError(f"{output} is inside {photos}, where each folder is a label: give a folder elsewhere with -o")


def _retrain(args: argparse.Namespace) -> dict[str, Any]:
    """Train and write the files; return the content of report.json."""
    import tensorflow as tf

    from dogid_convert.training import report, retrain

    tf.config.experimental.enable_op_determinism()
    recipe = _recipe(args)
    if (args.epochs or args.patience) and not args.fine_tune:
        _log("--epochs and --patience do nothing without --fine-tune: the last layer alone is trained to its optimum")
    with user_errors(args.base or "the shipped base", "run or train this graph"), tracking() as track:
        result = retrain.retrain(args.photos, recipe, args.cache or _default_cache(), _progress, _log, track)
    graph = result.graph.SerializeToString(deterministic=True)
    document = report.build_document(result, recipe, graph)
    with user_errors(args.out, "write the graph"):
        report.write_files(result, graph, document, args.out)
    return document


def _recipe(args: argparse.Namespace) -> "Recipe":
    from dogid_convert.training.bottleneck_cache import DEFAULT_SIZE
    from dogid_convert.training.early_stopping import DEFAULT_PATIENCE
    from dogid_convert.training.fine_tuning import Schedule
    from dogid_convert.training.retrain import Recipe

    usual = DEFAULT_PATIENCE if args.fine_tune and not args.epochs else 0
    return Recipe(
        base=args.base,
        size=args.size,
        augmentations=args.augment,
        convolutions=args.fine_tune,
        seed=args.seed,
        class_weight=dict(args.class_weight),
        prior=dict(args.prior),
        group_by=args.group_by,
        use_all=args.use_all,
        schedule=Schedule(epochs=args.epochs) if args.epochs else Schedule(),
        cache_size=DEFAULT_SIZE if args.cache_size is None else args.cache_size,
        patience=usual if args.patience is None else args.patience,
    )


def _progress(photos: Iterable["LabelledPhoto"]) -> Iterable["LabelledPhoto"]:
    """Show a progress bar for the photos where stderr is a terminal."""
    if not sys.stderr.isatty():
        return photos
    from rich.console import Console
    from rich.progress import track

    return track(list(photos), "bottlenecks", console=Console(stderr=True))


def _log(message: str) -> None:
    print(f"dogid: {message}", file=sys.stderr, flush=True)  # noqa: T201


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dogid"


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kKMG]?)B?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500M or 2G")
    return int(float(match[1]) * {"": 1, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000}[match[2].upper()])


def _side(text: str) -> int:
    number = int(text)
    if not _SMALLEST <= number <= _LARGEST:
        raise argparse.ArgumentTypeError(f"must be {_SMALLEST} to {_LARGEST} pixels")
    return number


def _factor(text: str) -> tuple[str, float]:
    label, equals, value = text.rpartition("=")
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not equals or not 0 < number < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=F with a factor above 0")
    return label, number


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from error
