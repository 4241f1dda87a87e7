"""A conversion's report for a terminal."""

from dogid.evaluation.compare import Accuracies
from dogid.evaluation.confusion_text import format_confusion
from dogid.evaluation.metrics import Evaluation
from dogid.file_names import join_names
from dogid.quantities import count_of
from dogid_convert.conversion.gate import SIGNIFICANT
from dogid_convert.conversion.report import Report, RepresentativeDataset

_SHOWN_LABELS = 6


def format_report(report: Report) -> str:
    """Return the report as lines for a person, the verdict last."""
    lines = [_headline(report), "", *_facts(report), "", *_table(report), ""]
    if report.accuracies is not None:
        lines += [*_accuracies(report.accuracies, report.dtype), ""]
    lines += [f"tried: {attempt}" for attempt in report.attempts]
    lines += _verdict(report)
    return "\n".join(lines) + "\n"


def _headline(report: Report) -> str:
    """The size, and what was left in float: why an int8 model may be larger than a quarter of the float one."""
    before, after = report.float_cost.bytes, report.cost.bytes
    size = f"{report.dtype}: {megabytes(after)}, {after / before:.0%} of the float32 model's {megabytes(before)}"
    if report.dtype != "int8":
        return size
    kinds = ", ".join(f"{count} {name}" for name, count in report.float_operators.items())
    return f"{size}; left in float: {kinds or 'nothing'}"


def _facts(report: Report) -> list[str]:
    rows = [("graph", str(report.graph), "")]
    rows += [(fact.name, fact.value, fact.reason) for fact in report.facts]
    width = max(len(name) for name, _, _ in rows) + 2
    value_width = max(len(fact.value) for fact in report.facts) + 2
    lines = [f"{name:<{width}}{value:<{value_width}}{reason}".rstrip() for name, value, reason in rows]
    labels = report.labels
    lines.append(
        f"{'labels':<{width}}{len(labels.names)} from {labels.path}: {join_names(labels.names, _SHOWN_LABELS)}"
    )
    taken, given = report.interface
    lines.append(f"{'takes':<{width}}{taken}{', pixels as they are' if taken == 'uint8' else ''}; gives {given}")
    if report.representative_dataset is not None:
        lines.append(f"{'calibration':<{width}}{_dataset_line(report.representative_dataset)}")
    if report.float_operators:
        kinds = ", ".join(f"{count} {name}" for name, count in report.float_operators.items())
        lines.append(f"{'in float':<{width}}{kinds}: the others compute in int8")
    return lines


def _table(report: Report) -> list[str]:
    before, after = report.float_cost, report.cost
    rows = [
        ("", "float32", report.dtype),
        ("size", megabytes(before.bytes), megabytes(after.bytes)),
        ("per image, 1 thread", f"{before.milliseconds:.2f} ms", f"{after.milliseconds:.2f} ms"),
    ]
    if report.accuracies is not None:
        a, b = report.accuracies.float_model, report.accuracies.converted
        rows += [
            ("accuracy (top-1)", percent(a.accuracy), percent(b.accuracy)),
            (_interval_name(report.accuracies), _interval(a), _interval(b)),
            ("macro recall", percent(a.macro_recall), percent(b.macro_recall)),
            ("calibration error", f"{a.calibration_error:.3f}", f"{b.calibration_error:.3f}"),
        ]
    lines = [f"{name:<22}{first:>18}{second:>18}" for name, first, second in rows]
    if report.slower:
        lines.append(f"warning: {report.dtype} is slower than float32 on this machine")
    return lines


def _verdict(report: Report) -> list[str]:
    return [f"{describe_verdict(report)}: {report.verdict.reason}", *_agreement(report)]


def _agreement(report: Report) -> list[str]:
    agreement = report.agreement
    if agreement is None or report.accuracies is None:
        return []
    return [
        f"its label is the float graph's for {percent(agreement.share)} of {count_of(agreement.photos, 'photo')} not "
        "used to calibrate"
    ]


def describe_verdict(report: Report) -> str:
    """Return how the model did at the gate, in a word or two."""
    return {True: "passed", False: "FAILED", None: "not measured"}[report.passed]


def _dataset_line(dataset: RepresentativeDataset) -> str:
    each = ", ".join(f"{name} {count}" for name, count in dataset.per_label.items() if name)
    return f"{count_of(dataset.photos, 'photo')} of {dataset.folder}" + (f": {each}" if each else "")


def _accuracies(accuracies: Accuracies, dtype: str) -> list[str]:
    lines = []
    for name, evaluation in (("float32", accuracies.float_model), (dtype, accuracies.converted)):
        lines += [
            *format_confusion(name, accuracies.labels, evaluation.confusion, complete_in="the file of --report"),
            "",
        ]
    return [*lines, format_mcnemar(accuracies, dtype)]


def format_mcnemar(accuracies: Accuracies, dtype: str) -> str:
    """Return McNemar's test in a sentence."""
    test = accuracies.disagreement
    meaning = "a real difference" if test.p_value < SIGNIFICANT else "no sign of a real difference"
    unit = "" if accuracies.groups is None else " (by photo, not by source)"  # as the intervals beside it are
    return (
        f"right only as float32: {count_of(test.only_first_right, 'photo')}, only as {dtype}: "
        f"{test.only_second_right}; McNemar's test{unit}: p = {test.p_value:.3f}, {meaning}"
    )


def _interval_name(accuracies: Accuracies) -> str:
    return "  95 % interval" if accuracies.groups is None else f"  95 %, {count_of(accuracies.groups, 'source')}"


def _interval(evaluation: Evaluation) -> str:
    interval = evaluation.accuracy_interval
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f} %"


def percent(share: float) -> str:
    """Return a share 0..1 in percent."""
    return f"{100 * share:.1f} %"


def megabytes(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e6:.2f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"
