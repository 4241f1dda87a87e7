"""`dogid judge`: measure how good a model is on labelled photos."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid import settings
from dogid.commands.output import print_json, print_line, print_message
from dogid.dataset.group_pattern import parse_pattern
from dogid.errors import DogidError, UsageError

if TYPE_CHECKING:
    from dogid.judging.judgement import Judgement

_SETTINGS = (*settings.MODEL_SETTINGS[1:], "workers", "max_bytes", "max_pixels", "memory", "decode_timeout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add MODEL, PHOTOS, --report, --json, and the settings that affect a single photo."""
    parser.add_argument("judged", type=Path, metavar="MODEL", help="a .tflite model, also one from elsewhere")
    parser.add_argument(
        "photos",
        type=Path,
        metavar="PHOTOS",
        help="a folder with one sub-folder of photos per label; where it is divided into train/ and test/ or val/, "
        "only the latter are judged",
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write a page with the wrong ones as FILE.html, and FILE.json"
    )
    parser.add_argument(
        "--group-by",
        type=parse_pattern,
        metavar="REGEX",
        help="give intervals for photos of other sources: the beginning of a file's name that REGEX matches (or its "
        "first group) is the photo's source or camera (default: intervals by photo, which are narrower)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    settings.add_flags(parser, _SETTINGS)


def run(args: argparse.Namespace) -> int:
    """Classify the photos and print the figures; return 1 where a photo could not be read."""
    from dogid.judging.judgement_text import format_judgement
    from dogid.system.writable_folder import check_file_writable

    if args.report is not None:
        _check_report(args.report, args.photos)
        check_file_writable(args.report)  # before the photos are classified
    judgement = _judge(args, settings.load(args))
    document = judgement.as_document()
    if args.report is not None:
        _write_report(args.report, judgement, document)
    if args.json:
        print_json(document)
    else:
        print_line(format_judgement(judgement).rstrip())
    return int(bool(judgement.unreadable))


def _check_report(path: Path, photos: Path) -> None:
    """Raise UsageError where a report would be written among photos, or under the name of another file."""
    if path.resolve().is_relative_to(photos.resolve()):
        raise UsageError(f"{path}: lies in {photos}, among the photos; have the report elsewhere: --report judged.html")
    if path.suffix not in ("", ".html", ".json") and path.exists():
        raise UsageError(f"{path}: is there already, and no report; give a name of its own: --report judged.html")


def _judge(args: argparse.Namespace, chosen: settings.Settings) -> "Judgement":
    import contextlib

    from dogid.commands.progress import ProgressBar
    from dogid.dataset.labelled_photos import find_photos
    from dogid.decoding.byte_budget import ByteBudget, choose_capacity
    from dogid.decoding.decoder import Decoder
    from dogid.judging.judge import judge
    from dogid.judging.photo_reader import PhotoReader
    from dogid.judging.suggest_normalisation import suggest_normalisation
    from dogid.photo.decode import limit_pixels
    from dogid.shelf.open_model import open_model

    limit_pixels(chosen.max_pixels)
    model = open_model(replace(chosen, model=args.judged))
    print_message(f"{model.file.name} is fed {model.input.describe()}")
    bar = ProgressBar()
    try:
        dataset = find_photos(
            args.photos,
            lambda files, what: bar.track(files, len(files), what),
            min_labels=1,
            max_bytes=chosen.max_bytes,
        )
    except OSError as error:
        raise UsageError(f"{error.filename or args.photos}: cannot be read: {error.strerror}") from error
    decoder = Decoder(ByteBudget(choose_capacity(chosen.memory)), chosen.max_pixels, chosen.decode_timeout)
    reader = PhotoReader(decoder, chosen.max_bytes)
    with contextlib.closing(decoder):
        judgement = judge(model, dataset, chosen.workers, reader, bar, args.group_by)
        for warning in (suggest_normalisation(model, dataset, reader), *model.warnings):
            if warning is not None:
                print_message(f"warning: {warning}")
    return judgement


def _write_report(path: Path, judgement: "Judgement", document: dict[str, Any]) -> None:
    """Write the page and the figures under the given name; its suffix is the one of either."""
    from dogid.judging.judgement_page import render_judgement
    from dogid.system.atomic_files import write_all_atomically

    contents = {
        path.with_suffix(".json").name: (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(),
        path.with_suffix(".html").name: render_judgement(judgement).encode(),
    }
    try:
        write_all_atomically(path.parent, contents)
    except OSError as error:
        raise DogidError(f"{path}: the report cannot be written: {error.strerror or error}") from error
    print_message(f"report: {path.with_suffix('.html')} and {path.with_suffix('.json')}")
