"""Completing a model file: metadata, labels, golden photo, and the record of where it comes from."""

import platform
import shlex
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dogid import __version__
from dogid.model.model_labels import LABELS
from dogid.model.model_writer import FileContents, compose_model_file
from dogid.model.standard_metadata import ClassifierFacts, classifier_metadata
from dogid.model.tflite_metadata import METADATA
from dogid.preprocessing import Normalisation
from dogid_convert.conversion.convert import ConversionOptions, Converted
from dogid_convert.quantize.tflite_converter import DEFAULT_IO_TYPES
from dogid_convert.reports.training_report import read_recorded_data, read_recorded_embeddings
from dogid_convert.sources.content_hash import content_sha256
from dogid_convert.tflite import run
from dogid_convert.tflite.flatbuffer_edit import add_metadata

_PACKAGES = ("tensorflow", "ai-edge-litert", "numpy", "pillow")


def package(converted: Converted, settings: ConversionOptions) -> bytes:
    """Return the whole model file. The same inputs give the same bytes: it contains no times and no full paths."""
    normalisation, source = converted.source.normalisation, converted.source
    facts = ClassifierFacts(
        name=settings.training.photos if settings.training else settings.graph.stem,
        description=f"Image classifier converted by dogid {__version__}",
        size=source.size,
        mean=(normalisation.mean,),
        std=(normalisation.std,),
        quantized_input=converted.facts.input.dtype != "FLOAT32",
        labels_file=LABELS,
    )
    model = add_metadata(converted.model, METADATA, classifier_metadata(facts))
    # the answers of exactly the bytes that are packaged
    usual, other = (
        run.make_classifier(model, converted.labels.names, normalisation, accelerated=accelerated).classify
        for accelerated in (True, False)
    )
    contents = FileContents(
        labels=converted.labels.names,
        size=source.size,
        normalisation=Normalisation((normalisation.mean,), (normalisation.std,)),
        channels=None,
        provenance=_provenance(converted, settings),
        embeddings=read_recorded_embeddings(settings.graph, content_sha256(settings.graph)),
    )
    return compose_model_file(model, contents, usual, other)


def _provenance(converted: Converted, settings: ConversionOptions) -> dict[str, Any]:
    report, training = converted.report, settings.training
    agreement, accuracies, dataset = report.agreement, report.accuracies, report.representative_dataset
    graph_sha256 = content_sha256(settings.graph)
    trained_on = read_recorded_data(settings.graph, graph_sha256)
    return {
        **({"photos": training.photos} if training else {}),
        "graph": {"sha256": graph_sha256} if training else {"file": settings.graph.name, "sha256": graph_sha256},
        **({"trained_on": trained_on} if trained_on else {}),
        "dtype": settings.dtype,
        "found": {fact.name: f"{fact.value} ({fact.reason})" for fact in report.facts},
        "calibration": dataset
        and {"photos": dataset.photos, "per_label": dataset.per_label, "folder_sha256": dataset.sha256},
        "evaluation": accuracies
        and {
            "photos": accuracies.converted.photos,
            "folder_sha256": report.evaluated and report.evaluated.sha256,
            "accuracy_float": round(accuracies.float_model.accuracy, 6),
            "accuracy": round(accuracies.converted.accuracy, 6),
            "calibration_error": round(accuracies.converted.calibration_error, 4),
        },
        "gate": {
            "min_agreement": report.min_agreement,
            "agreement": agreement and round(agreement.share, 6),
            "photos": agreement.photos if agreement else 0,
            "passed": report.passed,
        },
        "in_float": report.float_operators,
        "remedies": list(report.attempts),
        "versions": {"dogid": __version__, "python": platform.python_version(), **_versions()},
        "command": training.command if training else _command(settings),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _command(settings: ConversionOptions) -> str:
    """Return the command, paths shortened to names: a model that is passed on does not reveal its maker's folders."""
    words = ["dogid", "convert", settings.graph.name, "--dtype", settings.dtype]
    paths = {"--labels": settings.labels, "--calibrate": settings.calibrate, "--evaluate": settings.evaluate}
    for flag, path in paths.items():
        words += [flag, path.name] if path is not None else []
    hints = settings.hints
    for flag, value in (("--input", hints.input), ("--output-node", hints.output), ("--size", hints.side)):
        words += [flag, str(value)] if value is not None else []
    if hints.normalisation is not None:
        given = hints.normalisation
        mean, std = (",".join(f"{value:g}" for value in values) for values in (given.mean, given.std))
        words += ["--mean", mean, "--std", std]
    if hints.channels is not None:
        words += ["--channels", hints.channels]
    interface = settings.interface
    for flag, kind, usual in (
        ("--input-type", interface.input, DEFAULT_IO_TYPES.input),
        ("--output-type", interface.output, DEFAULT_IO_TYPES.output),
    ):
        words += [flag, kind] if kind != usual and settings.dtype == "int8" else []
    return shlex.join([*words, "--min-agreement", f"{settings.min_agreement:g}"])
