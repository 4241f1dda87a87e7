"""Running a model on labelled photos, with the daemon's own decoder and classifier."""

import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dogid.dataset.label_matching import match_labels
from dogid.dataset.labelled_photos import Dataset, LabelledPhoto
from dogid.dataset.photo_groups import check_groups, number_groups
from dogid.errors import PhotoCode, PhotoError, UsageError
from dogid.evaluation.metrics import bin_by_confidence, evaluate
from dogid.file_names import join_names, shown_name
from dogid.judging.judgement import Judgement, Latency, Mistake
from dogid.judging.photo_reader import PhotoReader
from dogid.model.classifier import Classifier, Model
from dogid.model.classify_photo import Classification
from dogid.model.training_embeddings import read_hashes

T = TypeVar("T")

_MEASURED_PHOTOS = 60
"""Photos whose time is taken, by one thread alone; more make the medians steadier and take longer."""


def judge(
    model: Model,
    dataset: Dataset,
    workers: int,
    reader: PhotoReader,
    progress: "Progress",
    group_by: re.Pattern[str] | None = None,
) -> Judgement:
    """Return how good a model is on a dataset's photos: on those in test/ and val/ only, where there are any.

    workers photos are classified in parallel, as far as the reader's limits allow. With group_by, which finds a photo's
    source in the beginning of its file's name, intervals are for photos of other sources. Raise UsageError where the
    model knows none of the dataset's labels, none of its photos can be classified, or all have the same source.
    """
    places = match_labels(dataset.labels, model.labels)
    if all(place is None for place in places):
        raise UsageError(
            f"{dataset.root}: the model {model.file.name} has none of the labels {join_names(dataset.labels)}; it has "
            f"{join_names(model.labels)}: rename the folders so that each has the name of a label"
        )
    wanted = [photo for photo in dataset.photos if not dataset.is_divided or photo.for_judging]
    photos = [photo for photo in wanted if places[photo.label] is not None]
    if not photos:
        raise UsageError(f"{dataset.root}: no photo to judge with has a label of the model {model.file.name}")
    if group_by is not None:
        check_groups(photos, group_by, dataset.root)  # before they are classified
    judged, answers, unreadable = _classify_all(photos, model, workers, reader, progress)
    if not judged:
        path, reason = unreadable[0]
        raise UsageError(
            f"{dataset.root}: no photo can be classified; the first: {shown_name(os.fsencode(path))}: {reason}"
        )
    truth = np.array([places[photo.label] for photo in judged], np.int64)
    scores = np.stack([answer.scores for answer in answers])
    return Judgement(
        model=model,
        dataset=dataset,
        evaluation=evaluate(scores, truth, None if group_by is None else number_groups(judged, group_by)[0]),
        groups=None if group_by is None else len(number_groups(judged, group_by)[1]),
        bins=bin_by_confidence(scores, truth),
        truth=truth,
        predicted=scores.argmax(axis=1),
        mistakes=_find_mistakes(judged, scores, truth, model, dataset.root),
        unknown_labels=dict(Counter(dataset.labels[p.label] for p in wanted if places[p.label] is None)),
        unreadable=(*dataset.unreadable, *unreadable),
        trained_on=_count_trained(judged, model),
        latency=_measure_latency(judged, model, reader),
    )


class Progress:
    """Shows nothing; a command's own shows how far the work is."""

    def track(self, items: Iterable[T], count: int, what: str) -> Iterator[T]:  # noqa: ARG002
        """Yield the items, of which there are count."""
        yield from items


def _classify_all(
    photos: Sequence[LabelledPhoto], model: Model, workers: int, reader: PhotoReader, progress: Progress
) -> tuple[list[LabelledPhoto], list[Classification], list[tuple[Path, str]]]:
    """Return the photos that could be classified, the model's answers to them, and the others with the reason."""
    local = threading.local()

    def classify(photo: LabelledPhoto) -> Classification | str:
        if not hasattr(local, "classifier"):
            local.classifier = model.classifier()
        classifier: Classifier = local.classifier
        return _classify(photo, classifier, reader)

    judged: list[LabelledPhoto] = []
    answers: list[Classification] = []
    unreadable: list[tuple[Path, str]] = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        try:
            results = progress.track(pool.map(classify, photos), len(photos), "judging")
            for photo, result in zip(photos, results, strict=True):
                if isinstance(result, str):
                    unreadable.append((photo.path, result))
                else:
                    judged.append(photo)
                    answers.append(result)
        except BaseException:  # Ctrl-C, too: the photos that are left are not classified
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return judged, answers, unreadable


def _classify(photo: LabelledPhoto, classifier: Classifier, reader: PhotoReader) -> Classification | str:
    try:
        result = reader.classify(photo, classifier)
    except PhotoError as error:
        return f"{error.code}: {error.message}"
    except OSError as error:
        return error.strerror or str(error)
    if not result.complete:
        return f"{PhotoCode.TRUNCATED}: the photo may be damaged, or not written to its end"
    return result


def _count_trained(photos: Sequence[LabelledPhoto], model: Model) -> int | None:
    """Return how many of the photos are among those that the model was made with; None where its file has none."""
    known = read_hashes(model.file.path)
    return None if known is None else sum(photo.sha256 in known for photo in photos)


def _find_mistakes(
    photos: Sequence[LabelledPhoto], scores: NDArray[np.float32], truth: NDArray[np.int64], model: Model, root: Path
) -> tuple[Mistake, ...]:
    """Return the wrong answers, the surest first."""
    predicted = scores.argmax(axis=1)
    found = [
        Mistake(
            path=photos[at].path,
            file=shown_name(os.fsencode(photos[at].path.relative_to(root))),
            label=model.labels[truth[at]],
            predicted=model.labels[predicted[at]],
            probability=round(float(scores[at, predicted[at]]), 4),
        )
        for at in np.flatnonzero(predicted != truth).tolist()
    ]
    return tuple(sorted(found, key=lambda mistake: (-mistake.probability, mistake.file)))


def _measure_latency(photos: Sequence[LabelledPhoto], model: Model, reader: PhotoReader) -> Latency:
    """Return the median times of photos spread over all, classified one after the other."""
    chosen = [photos[at] for at in np.unique(np.linspace(0, len(photos) - 1, _MEASURED_PHOTOS).astype(int))]
    classifier = model.classifier()
    results = []
    for photo in (chosen[0], *chosen):  # the first one twice: it warms up
        try:
            results.append(reader.classify(photo, classifier))
        except (PhotoError, OSError):  # changed meanwhile
            continue
    measured = results[1:] or results
    decode, invoke = (
        float(np.median([getattr(result, name) for result in measured])) if measured else 0.0
        for name in ("decode_ms", "invoke_ms")
    )
    return Latency(round(decode, 3), round(invoke, 3))
