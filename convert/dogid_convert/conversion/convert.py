"""A whole conversion: from a float classifier to a `.tflite` model whose answers agree with it."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.label_matching import match_labels
from dogid.dataset.photo_groups import check_groups, number_groups
from dogid.errors import UsageError
from dogid.evaluation.compare import Accuracies, Agreement, compare_accuracy, measure_agreement
from dogid.model.classifier import Classifier
from dogid_convert.conversion.label_files import GraphLabels, check_labels, find_labels, photo_labels
from dogid_convert.conversion.photo_differences import PhotoDifference, largest_differences
from dogid_convert.conversion.photo_sets import (
    Decoded,
    PhotoFolder,
    decode_photos,
    error_lines,
    interleave_labels,
    read_folder,
)
from dogid_convert.conversion.photo_warnings import FEW, collect_warnings
from dogid_convert.conversion.report import Cost, Report, RepresentativeDataset
from dogid_convert.conversion.suggest_normalisation import suggest_normalisation
from dogid_convert.graph.network import Hints
from dogid_convert.quantize.int8_search import find_best_int8
from dogid_convert.quantize.tflite_converter import DEFAULT_IO_TYPES, IoTypes
from dogid_convert.sources.float_model import FloatSource, open_source
from dogid_convert.support.progress import Track
from dogid_convert.tflite import run
from dogid_convert.tflite.flatbuffer_edit import ModelFacts, read_facts

CALIBRATION_PHOTOS = 200
"""Raising it only takes longer, since ranges are minima and maxima; lowering it may miss a layer's extremes."""

COMPARISON_PHOTOS = 800
"""Agreement of 99 % is then known to within 0.7 points. Raising it narrows that and takes longer."""

_FEWEST = 2
"""Photos: one to measure the layers' ranges, one to compare the models' answers."""


@dataclass(frozen=True, slots=True)
class TrainingOrigin:
    """Where a graph comes from that was trained a moment ago, and is kept nowhere."""

    photos: str
    """The name of the photos' folder."""
    command: str


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """What the user asked for."""

    graph: Path
    dtype: str
    labels: Path | None = None
    calibrate: Path | None = None
    evaluate: Path | None = None
    group_by: re.Pattern[str] | None = None
    """Finds a photo's source in its file's name, for intervals by source."""
    min_agreement: float = 0.98
    hints: Hints = Hints()
    interface: IoTypes = DEFAULT_IO_TYPES
    """Types of an int8 model's input and output; other models have float32."""
    training: TrainingOrigin | None = None
    """Recorded in the model in place of the graph's file and the command of the conversion."""


@dataclass(frozen=True, slots=True)
class _Photos:
    """The photos to calibrate with and those to compare the models on."""

    to_calibrate: Decoded | None
    to_compare: Decoded | None
    folder: PhotoFolder | None
    left_out: tuple[str, ...] = ()
    """A line for each file of the folder that could not be used."""


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """How the converted model's answers compare with the float model's."""

    agreement: Agreement | None = None
    differences: tuple[PhotoDifference, ...] = ()
    accuracies: Accuracies | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Converted:
    """The bare model and all that is known about it."""

    model: bytes
    facts: ModelFacts
    source: FloatSource
    labels: GraphLabels
    report: Report


def convert(settings: ConversionOptions, track: Track) -> Converted:
    """Convert and evaluate. Raise UsageError or DogidError with the reason and the way out."""
    folder = _read_calibration_folder(settings)
    evaluation = read_folder(settings.evaluate, for_judging=True) if settings.evaluate is not None else None
    source = open_source(settings.graph, settings.hints)
    labels = find_labels(settings.graph, settings.labels)
    check_labels(labels, source.classes)
    places = _find_label_places(evaluation, labels)
    warnings = collect_warnings(folder, labels)
    photos = _split_photos(settings, folder, source, track)
    float_model = source.tflite("float32")
    warnings += _try_normalisations(source, float_model, labels, evaluation or folder, track)
    model, attempts = _make_model(settings, source, float_model, photos, labels, track)
    facts = read_facts(model)
    answer = run.make_classifier(model, labels.names, source.normalisation)
    float_classifier = run.make_classifier(float_model, labels.names, source.normalisation)
    compared = _compare_answers(source, answer, photos.to_compare, labels, track)
    evaluated = _Evaluated()
    if evaluation is not None:
        used = {photo.sha256 for photo in photos.to_calibrate.photos} if photos.to_calibrate else set()
        evaluated = _evaluate(source, answer, evaluation, places, labels, used, settings.group_by, track)
    gate = compared if compared.agreement is not None else evaluated
    left_out = dict.fromkeys((*photos.left_out, *evaluated.left_out))  # both folders may be the same
    blank = np.full((source.size[1], source.size[0], 3), 128, dtype=np.uint8)
    report = Report(
        graph=settings.graph,
        dtype=settings.dtype,
        interface=facts.io_types,
        facts=source.facts,
        labels=labels,
        representative_dataset=_describe_dataset(photos),
        float_cost=Cost(len(float_model), run.measure_milliseconds(float_classifier, blank)),
        cost=Cost(len(model), run.measure_milliseconds(answer, blank)),
        float_operators=dict(Counter(facts.float_operators)) if settings.dtype == "int8" else {},
        agreement=gate.agreement,
        min_agreement=settings.min_agreement,
        accuracies=evaluated.accuracies,
        evaluated=evaluation,
        differences=gate.differences,
        attempts=attempts,
        warnings=(*warnings, *(f"left out: {line}" for line in left_out)),
    )
    return Converted(model, facts, source, labels, report)


def _read_calibration_folder(settings: ConversionOptions) -> PhotoFolder | None:
    if settings.calibrate is not None:
        return read_folder(settings.calibrate)
    if settings.dtype == "int8":
        raise UsageError(
            "an int8 model needs photos to measure the range of each layer with, like those that it will see: "
            "give a folder of about a hundred by --calibrate DIR, or choose --dtype dynamic, which needs none"
        )
    return None


def _split_photos(
    settings: ConversionOptions, folder: PhotoFolder | None, source: FloatSource, track: Track
) -> _Photos:
    """Return some photos to calibrate with where that is needed, and others to compare the models on."""
    if folder is None:
        return _Photos(None, None, None)
    calibrates = settings.dtype == "int8"
    most = COMPARISON_PHOTOS + (CALIBRATION_PHOTOS if calibrates else 0)
    photos = decode_photos(interleave_labels(folder.photos)[:most], source.size, track, "decoding")
    left_out = (*error_lines(folder.unreadable), *photos.broken)
    if not calibrates:
        return _Photos(None, photos, folder, left_out)
    if len(photos.photos) < _FEWEST:
        raise UsageError(
            f"{folder.folder} has {len(photos.photos)} readable photo: an int8 model needs at least {_FEWEST}, one to "
            f"calibrate and one to compare on, and {FEW} or more to be good. Give more, or choose --dtype dynamic, "
            "which needs none" + "".join(f"; left out: {line}" for line in left_out[:1])
        )
    first = min(CALIBRATION_PHOTOS, -(-len(photos.photos) // 2))
    return _Photos(photos.part(0, first), photos.part(first, len(photos.photos)), folder, left_out)


def _make_model(
    settings: ConversionOptions,
    source: FloatSource,
    float_model: bytes,
    photos: _Photos,
    labels: GraphLabels,
    track: Track,
) -> tuple[bytes, tuple[str, ...]]:
    """Return the model of the wanted dtype, and for int8 a line for each attempt to make it agree."""
    if settings.dtype == "float32":
        return float_model, ()
    if settings.dtype != "int8":
        return source.tflite(settings.dtype), ()
    assert photos.to_calibrate is not None, "int8 needs photos: `_read_calibration_folder` requires them"
    quantized = find_best_int8(
        float_model,
        photos.to_calibrate.pixels,
        source.normalisation,
        labels.names,
        settings.min_agreement,
        track,
        settings.interface,
    )
    return quantized.model, quantized.attempt_lines


def _compare_answers(
    source: FloatSource, answer: Classifier, photos: Decoded | None, labels: GraphLabels, track: Track
) -> _Evaluated:
    if photos is None:
        return _Evaluated()
    first, second = _predict_both(source, answer, photos, track)
    return _Evaluated(measure_agreement(first, second), largest_differences(photos.photos, first, second, labels.names))


def _evaluate(
    source: FloatSource,
    answer: Classifier,
    folder: PhotoFolder,
    places: list[int | None],
    labels: GraphLabels,
    used: set[str],
    group_by: re.Pattern[str] | None,
    track: Track,
) -> _Evaluated:
    """Evaluate both models on labelled photos, without those that were used to calibrate."""
    fresh = [photo for photo in folder.photos if photo.sha256 not in used]
    if not fresh:
        raise UsageError(f"{folder.folder}: all of its photos were used to calibrate; give others to --evaluate")
    if group_by is not None:
        check_groups(fresh, group_by, folder.folder)
    photos = decode_photos(fresh, source.size, track, "decoding")
    groups = None if group_by is None else number_groups(photos.photos, group_by)[0]
    truth = photo_labels(places, [photo.label for photo in photos.photos])
    first, second = _predict_both(source, answer, photos, track)
    return _Evaluated(
        agreement=measure_agreement(first, second),
        differences=largest_differences(photos.photos, first, second, labels.names),
        accuracies=compare_accuracy(first, second, truth, labels.names, groups),
        left_out=(*error_lines(folder.unreadable), *photos.broken),
    )


def _predict_both(
    source: FloatSource, answer: Classifier, photos: Decoded, track: Track
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return source.predict(photos.pixels, track), run.predict(answer, photos.pixels, track, "converted model")


def _find_label_places(evaluation: PhotoFolder | None, labels: GraphLabels) -> list[int | None]:
    if evaluation is None:
        return []
    if not evaluation.labels:
        raise UsageError(f"{evaluation.folder}: --evaluate needs labelled photos: a sub-folder for each label")
    places = match_labels(evaluation.labels, labels.names)
    unknown = [name for name, place in zip(evaluation.labels, places, strict=True) if place is None]
    if unknown:
        raise UsageError(
            f"{evaluation.folder}: no label for the sub-folders {', '.join(unknown)}; the labels in {labels.path} are "
            f"{', '.join(labels.names[:8])}"
        )
    return places


def _try_normalisations(
    source: FloatSource, model: bytes, labels: GraphLabels, folder: PhotoFolder | None, track: Track
) -> list[str]:
    """Return a warning where the normalisation was guessed, and photos with labels show that it is another."""
    guess = source.normalisation
    if folder is None or not guess.is_guess:
        return []
    found = suggest_normalisation(model, labels.names, guess, folder, source.size, track)
    return [found] if found is not None else []


def _describe_dataset(photos: _Photos) -> RepresentativeDataset | None:
    if photos.to_calibrate is None or photos.folder is None:
        return None
    names = photos.folder.labels
    counts = Counter(names[photo.label] if names else "" for photo in photos.to_calibrate.photos)
    return RepresentativeDataset(
        photos.folder.folder, len(photos.to_calibrate.photos), dict(sorted(counts.items())), photos.folder.sha256
    )
