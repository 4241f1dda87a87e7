"""`dogid train`: labelled folders of photos become a `.tflite` model: `retrain` and `convert` in one."""

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid.errors import DogidError, UsageError
from dogid.system.atomic_files import write_all_atomically
from dogid.system.writable_folder import check_file_writable
from dogid_convert.commands.training_arguments import (
    add_training_arguments,
    check_outside,
    default_cache,
    describe_command,
    make_recipe,
    read_dataset,
)
from dogid_convert.reports.training_report import GRAPH
from dogid_convert.support import interruption
from dogid_convert.support.explain_errors import load_packages, user_errors
from dogid_convert.support.free_memory import check_resources
from dogid_convert.support.progress import Track, tracking_as_one

if TYPE_CHECKING:
    from dogid.dataset.labelled_photos import Dataset, LabelledPhoto
    from dogid_convert.conversion.convert import ConversionOptions, Converted
    from dogid_convert.training.retrain import RetrainResult

_FAILED = 1
_REFUSED = "-refused"  # behind the name of the report of a model that was not written, where there is an earlier one
_STAGES = {"photos": 2.0, "embedding 1": 30.0, "embedding 2": 30.0, "decoding": 6.0, "float model": 6.0,
           "int8 model": 8.0, "float graph": 10.0, "converted model": 8.0}  # fmt: skip
"""Rough shares of a run's time, by what is tracked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add PHOTOS, --out, the flags of training, and those of the conversion."""
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MODEL.tflite", help="the file to write")
    add_training_arguments(parser)
    dtypes = ("int8", "dynamic", "float16", "float32")
    parser.add_argument("--dtype", choices=dtypes, default="int8", help="kind of model (default: int8)")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the report as FILE.html and FILE.json (default: beside the model, with its name)",
    )
    parser.add_argument("--force", action="store_true", help="write the model although it is worse than its graph")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Train, convert and write the model; return 1 where it was refused."""
    if not args.out.suffix and not args.out.is_dir():
        args.out = args.out.with_name(f"{args.out.name}.tflite")
    if args.out.is_dir():
        raise UsageError(f"{args.out} is a folder; give the name of the .tflite file to write")
    report = args.report or args.out
    for path in (args.out, report):
        check_file_writable(path)
    for path in (args.out, report):
        check_outside(path, args.photos)
    _check_replaceable(report)
    _check_base(args)
    _make_temporary_folder().cleanup()  # TensorFlow needs temporary files, too
    if (args.epochs or args.patience) and not args.fine_tune:
        _log("--epochs and --patience do nothing without --fine-tune: the last layer alone is trained to its optimum")
    try:
        with interruption.sigint_tracked():
            document, passed = _train(args, report)
    except KeyboardInterrupt:
        _log(f"interrupted: {args.out} is as it was; what was computed from the photos is cached for the next run")
        raise
    if args.json:
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 0 if passed else _FAILED


def _train(args: argparse.Namespace, report_path: Path) -> tuple[dict[str, Any], bool]:
    """Train, convert and write all files; return the report's document, and whether the model was good enough."""
    with _make_temporary_folder() as temporary, tracking_as_one(_STAGES) as track:
        dataset = read_dataset(args, track)
        load_packages()
        from dogid_convert.conversion.package_model import package
        from dogid_convert.training import report

        result, graph, trained = _retrain(args, dataset, track)
        folder = Path(temporary)
        try:
            for name, content in (report.essential_files(result, trained) | {GRAPH: graph}).items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise _explain_temporary(folder.parent, error) from error
        converted, options = _convert(args, folder / GRAPH, result, track)
        model = package(converted, options)
    passed = converted.report.passed is not False
    written = passed or args.force
    conversion = converted.report.as_dict()
    document = {"model": str(args.out) if written else None, "training": trained, "conversion": conversion}
    if not written and args.out.exists():  # the report of the model that is kept is kept, too
        report_path = report_path.with_name(f"{report_path.stem}{_REFUSED}{report_path.suffix}")
    _write(args, report_path, result, document, converted, model if written else None)
    if not args.json:
        _print(document, converted, args.out, report_path)
    if not passed:
        _log(
            f"the model {'is worse than its graph' if written else 'was not written'}: "
            f"{converted.report.verdict.reason}. Try --dtype float16, or write it nevertheless by --force"
        )
    return document, passed


def _make_temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="dogid-train-")
    except OSError as error:
        raise _explain_temporary(Path(os.environ.get("TMPDIR") or "/tmp"), error) from error  # noqa: S108


def _explain_temporary(folder: Path, error: OSError) -> DogidError:
    reason = error.strerror or error
    return DogidError(f"{folder}: no temporary files can be written there: {reason}; set TMPDIR to another folder")


def _check_base(args: argparse.Namespace) -> None:
    """Raise DogidError where memory or disk is too small for the base, if it is a file; before TensorFlow is loaded."""
    base = args.base or os.environ.get("DOGID_BASE")
    if base and Path(base).exists():
        check_resources(Path(base), args.out, 0)


def _retrain(
    args: argparse.Namespace, dataset: "Dataset", track: Track
) -> "tuple[RetrainResult, bytes, dict[str, Any]]":
    import tensorflow as tf

    from dogid_convert.training import report, retrain

    tf.config.experimental.enable_op_determinism()
    recipe, number = make_recipe(args), itertools.count(1)

    def progress(photos: Iterable["LabelledPhoto"]) -> Iterable["LabelledPhoto"]:
        return track(list(photos), f"embedding {next(number)}")

    with user_errors(args.base or "the base", "run or train this graph"):
        result = retrain.retrain(dataset, recipe, args.cache or default_cache(), progress, _log)
    graph = result.graph.SerializeToString(deterministic=True)
    return result, graph, report.build_document(result, recipe, graph)


def _convert(
    args: argparse.Namespace, graph: Path, result: "RetrainResult", track: Track
) -> "tuple[Converted, ConversionOptions]":
    """Convert the graph; photos in test/ decide by accuracy whether the model is good enough, where there are any."""
    from dogid_convert.conversion.convert import ConversionOptions, TrainingOrigin, convert
    from dogid_convert.training.report import LABELS

    options = ConversionOptions(
        graph=graph,
        dtype=args.dtype,
        calibrate=args.photos,
        evaluate=args.photos if result.dataset.is_divided else None,
        training=TrainingOrigin(args.photos.resolve().name, describe_command(args)),
    )
    with user_errors(args.photos, "convert the graph that was trained"):
        converted = convert(options, track)
    for warning in converted.report.all_warnings:
        if not warning.startswith("left out"):  # the training has named those
            _log(f"warning: {warning}")
    report = converted.report  # neither file is kept
    labels = replace(report.labels, path=Path(LABELS))
    return replace(converted, report=replace(report, graph=Path(GRAPH), labels=labels)), options


def _write(
    args: argparse.Namespace,
    report_path: Path,
    result: "RetrainResult",
    document: dict[str, Any],
    converted: "Converted",
    model: bytes | None,
) -> None:
    """Write the report's page and data, and then the model, where there is one."""
    from dogid_convert.conversion.report_html import render_elements
    from dogid_convert.training.report import format_table
    from dogid_convert.training.report_page import render_training_page

    further = [f"<h2>As {converted.report.dtype}</h2>", *render_elements(converted.report)]
    table = format_table(document["training"])
    page = render_training_page(result, document["training"], table, further).encode()
    files = {
        report_path.with_suffix(".json"): (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(),
        report_path.with_suffix(".html"): page,
    }
    if model is not None:
        files[args.out] = model
    interruption.check()
    with interruption.sigint_deferred():
        _write_together(files)


def _write_together(files: dict[Path, bytes]) -> None:
    """Write the files; of those in one folder all or none. Raise DogidError."""
    for folder in dict.fromkeys(path.parent for path in files):
        inside = {path.name: content for path, content in files.items() if path.parent == folder}
        try:
            write_all_atomically(folder, inside)
        except OSError as error:
            raise DogidError(
                f"{folder}: {', '.join(inside)} cannot be written there: {error.strerror or error}"
            ) from error


def _check_replaceable(report: Path) -> None:
    """Raise UsageError where a file that is no report of dogid's would be replaced by one."""
    for path, is_report in ((report.with_suffix(".json"), _is_report), (report.with_suffix(".html"), _is_page)):
        try:
            is_replaceable = is_report(path.read_bytes())
        except FileNotFoundError:
            continue
        except OSError:
            is_replaceable = False
        if not is_replaceable:
            raise UsageError(
                f"{path} is there and no report of a training: move it, or give another name with --report"
            )


def _is_report(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except ValueError:
        return False
    return isinstance(document, dict) and {"training", "conversion"} <= document.keys()


def _is_page(content: bytes) -> bool:
    from dogid.judging.html_page import MADE_BY

    return MADE_BY.encode() in content[:1000]


def _print(document: dict[str, Any], converted: "Converted", out: Path, report_path: Path) -> None:
    from dogid_convert.conversion.report_text import megabytes
    from dogid_convert.training.report import format_table

    report = converted.report
    lines = [
        format_table(document["training"]),
        "",
        f"as {report.dtype}: {megabytes(report.cost.bytes)}, {report.cost.milliseconds:.1f} ms a photo here "
        f"(one thread); {report.verdict.reason}",
        f"report, with every mistake: {report_path.with_suffix('.html')}",
    ]
    if document["model"]:
        beside = f"(where dogid runs already: dogid model activate {out})"
        lines += [f"wrote {out}", "", f"next: dogid run --model {out} {beside}"]
    sys.stdout.write("\n".join(lines) + "\n")


def _log(message: str) -> None:
    sys.stderr.write(f"dogid: {message}\n")
    sys.stderr.flush()
