"""`dogid convert`: a trained graph becomes a `.tflite` model that agrees with it."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dogid.dataset.group_pattern import parse_pattern
from dogid.errors import DogidError, UsageError
from dogid.preprocessing import BGR, RGB, Normalisation
from dogid.system.atomic_files import write_atomically
from dogid.system.writable_folder import check_file_writable
from dogid_convert.reports.training_report import GRAPH
from dogid_convert.support import interruption
from dogid_convert.support.explain_errors import load_packages, user_errors
from dogid_convert.support.free_memory import check_resources
from dogid_convert.support.renamed_flags import add_old_name

if TYPE_CHECKING:
    from dogid_convert.conversion.convert import ConversionOptions, Converted
    from dogid_convert.conversion.report import Report

_FAILED = 1
_PHOTO_BYTES = 150_000_000
"""Of a thousand decoded photos of 224 x 224 pixels, which are in memory at the same time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add GRAPH, --out, --dtype, the photos to calibrate and evaluate with, and the other flags."""
    forms = "what `dogid retrain` wrote, .pb, .pbtxt, SavedModel folder, .keras, .h5 or float .tflite"
    parser.add_argument("graph", type=Path, metavar="GRAPH", help=forms)
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MODEL.tflite", help="the file to write")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="one label per line (default: found beside the graph)"
    )
    parser.add_argument("--calibrate", type=Path, metavar="DIR", help="photos like those that the model will see")
    parser.add_argument("--evaluate", type=Path, metavar="DIR", help="labelled photos, one sub-folder per label")
    parser.add_argument(
        "--group-by",
        type=parse_pattern,
        metavar="REGEX",
        help="give intervals of accuracy for photos of other sources than those of --evaluate: the beginning of a "
        "file's name that REGEX matches (or its first group) is the photo's source or camera",
    )
    dtypes = ("int8", "dynamic", "float16", "float32")
    parser.add_argument("--dtype", choices=dtypes, default="int8", help="kind of model (default: int8)")
    kinds = ("uint8", "int8", "float32")
    parser.add_argument(
        "--input-type",
        choices=kinds,
        help="input type of an int8 model (default: uint8, pixels as they are); other models take float32",
    )
    parser.add_argument(
        "--output-type",
        choices=kinds,
        help="output type of an int8 model (default: float32); other models give float32",
    )
    parser.add_argument(
        "--min-agreement",
        type=_share,
        default=0.98,
        metavar="F",
        help="share of photos on which the model must agree with the float graph, where --evaluate gives no labels to "
        "compare by; refused where the 95 %% interval lies below it (default: 0.98)",
    )
    parser.add_argument("--input", metavar="NAME", help="the graph's input node (default: found)")
    parser.add_argument("--output-node", metavar="NAME", help="the graph's output node (default: found)")
    add_old_name(parser, "--output", "--output-node")
    parser.add_argument("--size", type=_side, metavar="N", help="side of the input in pixels (default: found)")
    parser.add_argument(
        "--mean",
        type=_colours,
        metavar="M[,M,M]",
        help="the input is (pixel - M) / S, in pixels 0 to 255, for all colours or for red, green and blue "
        "(default: found)",
    )
    parser.add_argument("--std", type=_positive_colours, metavar="S[,S,S]")
    parser.add_argument("--channels", choices=(RGB, BGR), help="order of the input's colours (default: found)")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write the report as JSON, and beside it as .html",
    )
    parser.add_argument("--force", action="store_true", help="write the model although it fails the gate")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Convert; return 1 where the model was measured and did not pass, else 0."""
    if (args.mean is None) != (args.std is None):
        raise UsageError("--mean and --std belong together: the input is (pixel - mean) / std")
    if args.dtype != "int8" and {args.input_type, args.output_type} - {None, "float32"}:
        raise UsageError(f"a {args.dtype} model takes and gives float32; other types are for --dtype int8")
    if args.group_by is not None and args.evaluate is None:
        raise UsageError("--group-by is for the labelled photos of --evaluate: give them, too")
    if not args.graph.exists():
        raise UsageError(f"{args.graph}: no such file or folder; give the graph to convert")
    if (args.graph / GRAPH).is_file():
        args.graph = args.graph / GRAPH
    if args.out.is_dir():
        raise UsageError(f"{args.out} is a folder; give the name of the .tflite file to write")
    for path in (args.out, args.report):
        if path is not None:
            check_file_writable(path)
    if args.out.exists() and args.graph.resolve() == args.out.resolve():
        raise UsageError(f"{args.out} is the graph itself; give another name to write to")
    check_resources(args.graph, args.out, _PHOTO_BYTES if args.calibrate or args.evaluate else 0)
    try:
        with interruption.sigint_tracked():
            report, result = _convert(args)
    except KeyboardInterrupt:
        _say("interrupted")
        raise
    from dogid_convert.conversion.report_text import format_report

    if args.json:
        sys.stdout.write(json.dumps(_finite(result), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(format_report(report))
        if result["model"] is not None:
            sys.stdout.write(f"wrote {args.out} ({args.out.stat().st_size:,} bytes)\n")
    return _FAILED if report.passed is False else 0


def _convert(args: argparse.Namespace) -> "tuple[Report, dict[str, Any]]":
    """Convert and write the files; return the report, also as its JSON document."""
    load_packages()
    converted, settings = _converted(args)
    interruption.check()
    report = converted.report
    for warning in report.all_warnings:
        _say(f"warning: {warning}")
    written = _write(args, converted, settings)
    result = report.as_dict() | {"model": str(args.out) if written else None}
    if args.report is not None:
        _write_report(args.report, report, result)
    return report, result


def _converted(args: argparse.Namespace) -> "tuple[Converted, ConversionOptions]":
    from dogid_convert.conversion.convert import ConversionOptions, convert
    from dogid_convert.graph.network import Hints
    from dogid_convert.quantize.tflite_converter import DEFAULT_IO_TYPES, IoTypes
    from dogid_convert.support.progress import tracking

    settings = ConversionOptions(
        graph=args.graph,
        dtype=args.dtype,
        labels=args.labels,
        calibrate=args.calibrate,
        evaluate=args.evaluate,
        group_by=args.group_by,
        min_agreement=args.min_agreement,
        hints=Hints(args.input, args.output_node, args.size, _normalisation(args), args.channels),
        interface=IoTypes(args.input_type or DEFAULT_IO_TYPES.input, args.output_type or DEFAULT_IO_TYPES.output),
    )
    with user_errors(args.graph, "run or convert this graph"), tracking() as track:
        return convert(settings, track), settings


def _write(args: argparse.Namespace, converted: "Converted", settings: "ConversionOptions") -> bool:
    from dogid_convert.conversion.package_model import package

    report = converted.report
    if report.passed is False and not args.force:
        _say(
            f"the model was not written: {report.verdict.reason}. Try photos more like those that it will see, "
            "--dtype float16, or write it nevertheless by --force. "
            f"{args.out} {'is as it was' if args.out.exists() else 'was not made'}"
        )
        return False
    model = package(converted, settings)
    interruption.check()
    with interruption.sigint_deferred():
        _write_file(args.out, model)
    return True


def _write_report(path: Path, report: "Report", result: dict[str, Any]) -> None:
    """Write the report as JSON under the given name, and as HTML beside it (or the other way round)."""
    from dogid_convert.conversion.report_html import render_html_report

    page, data = path.with_suffix(".html"), path
    if path.suffix in (".html", ".htm"):
        page, data = path, path.with_suffix(".json")
    contents = {
        data: json.dumps(_finite(result), indent=2, ensure_ascii=False) + "\n",
        page: render_html_report(report),
    }
    interruption.check()
    with interruption.sigint_deferred():
        for file, content in contents.items():
            _write_file(file, content.encode())
    _say(f"report: {data} and {page}")


def _write_file(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise DogidError(f"{path}: cannot write {len(content):,} bytes: {error.strerror or error}") from error


def _finite(value: Any) -> Any:
    """JSON has no nan: what could not be measured is null."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _say(message: str) -> None:
    sys.stderr.write(f"dogid convert: {message}\n")


def _normalisation(args: argparse.Namespace) -> Normalisation | None:
    if args.mean is None:
        return None
    return Normalisation(args.mean, args.std)


def _colours(text: str) -> tuple[float, ...]:
    values = tuple(_number(part.strip()) for part in text.split(","))
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one number, nor three for red, green and blue, as in 123.675,116.28,103.53"
        )
    return values


def _positive_colours(text: str) -> tuple[float, ...]:
    values = _colours(text)
    if min(values) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return values


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _side(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 8 <= value <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels from 8 to 4096")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return value
