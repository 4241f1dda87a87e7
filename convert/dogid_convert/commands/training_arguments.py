"""The flags that `dogid retrain` and `dogid train` share, and the recipe that they make."""

import argparse
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from dogid.dataset.group_pattern import parse_pattern
from dogid.errors import UsageError
from dogid_convert.support.explain_errors import user_errors
from dogid_convert.support.progress import Track
from dogid_convert.support.quiet_tensorflow import require_tensorflow, set_environment
from dogid_convert.support.renamed_flags import add_old_name

if TYPE_CHECKING:
    from dogid.dataset.labelled_photos import Dataset
    from dogid_convert.training.recipe import Recipe

_SMALLEST, _LARGEST = 32, 1024  # pixels of an input's side


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PHOTOS, --base, and the flags of training, evaluation and cache."""
    parser.add_argument("photos", type=Path, metavar="PHOTOS", help="a folder with one sub-folder of photos per label")
    parser.add_argument(
        "--base",
        metavar="GRAPH",
        help="the network to start from: imagenet (EfficientNet-Lite0, models/imagenet_base.pb), shipped (the shipped "
        "model's, models/retrained_graph.pb), auto (default: whichever of the two does better by "
        "cross-validation; at present both have the same weights, and nothing is compared), "
        "a graph (.pb, .pbtxt, SavedModel folder, .keras, .h5), also an earlier retrained_graph.pb, or "
        "keras:mobilenet_v1, keras:mobilenet_v2, keras:inception_v3 (downloaded)",
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
        type=parse_pattern,
        metavar="REGEX",
        help="evaluate by cross-validation with whole groups left out: the beginning of a file's name that REGEX "
        "matches (or its first group) is the photo's source or camera",
    )
    parser.add_argument(
        "--balance-groups",
        type=_share,
        default=0.0,
        metavar="P",
        help="with --group-by, let photos of large groups count less in training: each counts 1 / (photos of its "
        "group)^P; 0 (default): all photos alike, 1: all groups alike",
    )
    parser.add_argument(
        "--use-all",
        action="store_true",
        help="after the evaluation, train the final graph on photos that were held out, too (without "
        "--fine-tune: those in test/ and val/; no others are held out)",
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


def check_outside(output: Path, photos: Path) -> None:
    """Raise UsageError where the output would be among the labels' folders: the next run would take it for a label."""
    inside, of = output.resolve(), photos.resolve()
    if inside.is_relative_to(of) and not any(part.startswith(".") for part in inside.relative_to(of).parts[:1]):
        raise UsageError(f"{output} is inside {photos}, where each folder is a label: give a folder elsewhere with -o")


def read_dataset(args: argparse.Namespace, track: Track) -> "Dataset":
    """Return the photos. Raise UsageError where folders, labels or the base are wrong, before TensorFlow is loaded."""
    from dogid.dataset.labelled_photos import find_photos
    from dogid_convert.training.base_names import find_bases

    set_environment()
    require_tensorflow()
    find_bases(args.base)
    if args.balance_groups and args.group_by is None:
        raise UsageError("--balance-groups needs --group-by, which says what a group is")
    with user_errors(args.photos, "read the photos"):
        dataset = find_photos(args.photos, track)
    for label, _ in (*args.class_weight, *args.prior):
        if label not in dataset.labels:
            raise UsageError(f"no label {label!r} in {args.photos}: there are {', '.join(dataset.labels)}")
    return dataset


def describe_command(args: argparse.Namespace) -> str:
    """Return the command of a training, paths shortened to names: a model does not reveal its maker's folders."""
    words = ["dogid", "train", args.photos.resolve().name, "-o", args.out.name]
    values = (
        ("--base", args.base and Path(args.base).name),
        ("--seed", args.seed),
        ("--augment", args.augment),
        ("--fine-tune", args.fine_tune),
        ("--epochs", args.epochs),
        ("--patience", args.patience),
        ("--size", args.size),
        ("--group-by", args.group_by and args.group_by.pattern),
        ("--balance-groups", f"{args.balance_groups:g}" if args.balance_groups else None),
        ("--dtype", None if args.dtype == "int8" else args.dtype),
    )
    for flag, value in values:
        words += [flag, str(value)] if value else []
    for flag, factors in (("--class-weight", args.class_weight), ("--prior", args.prior)):
        for label, factor in factors:
            words += [flag, f"{label}={factor:g}"]
    words += [flag for flag, is_set in (("--use-all", args.use_all), ("--force", args.force)) if is_set]
    return shlex.join(words)


def make_recipe(args: argparse.Namespace) -> "Recipe":
    """Return the recipe that the flags describe."""
    from dogid_convert.training.bottleneck_cache import DEFAULT_SIZE
    from dogid_convert.training.early_stopping import DEFAULT_PATIENCE
    from dogid_convert.training.fine_tuning import Schedule
    from dogid_convert.training.recipe import Recipe

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
        group_balance=args.balance_groups,
        use_all=args.use_all,
        schedule=Schedule(epochs=args.epochs) if args.epochs else Schedule(),
        cache_size=DEFAULT_SIZE if args.cache_size is None else args.cache_size,
        patience=usual if args.patience is None else args.patience,
    )


def default_cache() -> Path:
    """Return the folder where bottlenecks are cached if no other is given."""
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


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError("must be 0 to 1")
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
