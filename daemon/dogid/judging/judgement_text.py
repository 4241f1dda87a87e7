"""A judgement as lines for a terminal."""

import os
from collections.abc import Iterator
from pathlib import Path

from dogid.evaluation.confusion_text import format_confusion
from dogid.evaluation.intervals import Interval
from dogid.file_names import join_names, one_line, shown_name
from dogid.judging.judgement import Judgement
from dogid.quantities import count_of

_SHOWN_MISTAKES = 12
_SURE = 0.9


def format_judgement(judgement: Judgement) -> str:
    """Return the judgement for a person."""
    found, names = judgement.evaluation, judgement.model.labels
    lines = [
        f"judged {one_line(judgement.model.file.name)} on {count_of(found.photos, 'photo')} of "
        f"{_shown(judgement.dataset.root)}",
        *describe_left_out(judgement),
        f"  top-1 {percent(found.accuracy)} ({_range(found.accuracy_interval)}), macro recall "
        f"{percent(found.macro_recall)} ({_range(found.macro_recall_interval)})",
        *_group_lines(judgement),
        f"  expected calibration error {found.calibration_error:.3f}; {describe_sure_answers(judgement)}",
        f"  {describe_latency(judgement)}",
        "",
    ]
    labels, counts = judgement.confusion()
    lines += [*format_confusion("judged", labels, counts, complete_in="the page of --report"), ""]
    lines.append("recall of each label:")
    for at in judgement.occurring:
        interval, photos = found.recall_intervals[at], int((judgement.truth == at).sum())
        if interval is not None:
            lines.append(f"  {one_line(names[at])}: {percent(found.recalls[at])} of {photos} ({_range(interval)})")
    lines += ["", *_mistake_lines(judgement)]
    return "\n".join(lines) + "\n"


def _group_lines(judgement: Judgement) -> Iterator[str]:
    if judgement.groups is not None:
        yield (
            f"  these intervals are for photos of other sources: a bootstrap over the {judgement.groups} sources that "
            "--group-by finds"
        )


def describe_left_out(judgement: Judgement) -> Iterator[str]:
    """Yield a sentence for each kind of photo or label that the figures do not include."""
    dataset, model = judgement.dataset, judgement.model
    if dataset.is_divided:
        yield "only photos in test/ and val/ are judged: those in train/ are for training"
    for label, photos in judgement.unknown_labels.items():
        yield (
            f"not judged: {count_of(photos, 'photo')} in the folder {label!r}: the model has no such label; "
            f"it has {join_names(model.labels)}"
        )
    if judgement.absent_labels:
        yield f"no photos of {join_names(judgement.absent_labels)}: nothing is known about how often they are right"
    if judgement.trained_on:
        yield (
            f"{judgement.trained_on} of these photos are among those that the model was made with: the figures flatter "
            "it; judge with others"
        )
    if judgement.unreadable:
        first, reason = judgement.unreadable[0]
        yield f"{len(judgement.unreadable)} unreadable, left out: {_shown(first)}: {one_line(reason)}" + (
            ", ..." if len(judgement.unreadable) > 1 else ""
        )
    if dataset.conflicts:
        files = " and ".join(_shown(file.path) for file in dataset.conflicts[0].files)
        yield f"{len(dataset.conflicts)} under two labels, left out: {files}" + (
            ", ..." if len(dataset.conflicts) > 1 else ""
        )


def describe_sure_answers(judgement: Judgement) -> str:
    """Return how many answers are sure, and how often these are right."""
    sure = [one for one in judgement.bins if one.low >= _SURE and one.photos]
    photos = sum(one.photos for one in sure)
    if not photos:
        return f"no answer has a probability of {_SURE:g} or more"
    right = sum(one.accuracy * one.photos for one in sure) / photos
    answers = count_of(photos, "answer has", "answers have")
    return f"{answers} a probability of {_SURE:g} or more, of which {percent(right)} are right"


def describe_latency(judgement: Judgement) -> str:
    """Return the times for one photo."""
    latency = judgement.latency
    return f"one photo: decoding {latency.decode:.1f} ms, inference {latency.invoke:.1f} ms (medians, one thread)"


def percent(share: float) -> str:
    """Return a share 0..1 in percent."""
    return f"{100 * share:.1f} %"


def _shown(path: Path) -> str:
    """Return a path as one line of UTF-8, whatever bytes it has."""
    return one_line(shown_name(os.fsencode(path)))


def _range(interval: Interval) -> str:
    return f"95 %: {100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _mistake_lines(judgement: Judgement) -> Iterator[str]:
    mistakes = judgement.mistakes
    if not mistakes:
        yield "no mistakes"
        return
    yield f"{count_of(len(mistakes), 'mistake')}, the surest first:"
    for mistake in mistakes[:_SHOWN_MISTAKES]:
        yield (
            f"  {one_line(mistake.file)}: {one_line(mistake.label)}, answered {one_line(mistake.predicted)} "
            f"{mistake.probability:.3f}"
        )
    if len(mistakes) > _SHOWN_MISTAKES:
        yield f"  and {len(mistakes) - _SHOWN_MISTAKES} more: --json lists all, --report FILE shows them"
