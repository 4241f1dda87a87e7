"""A training's report as one HTML file: figures, confusion matrix, and every mistake with its photo."""

import os
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from dogid.evaluation.confusion_html import render_confusion
from dogid.file_names import shown_name
from dogid.judging.glossary import TRAINING, render_glossary
from dogid.judging.html_page import Picture, render_page, render_pictures
from dogid.quantities import count_of
from dogid_convert.training.retrain import RetrainResult
from dogid_convert.training.train_and_evaluate import OWN_SPLIT

_MOST_ROWS = 200  # of files that were left out; more belong into the JSON report
_CAUTION = "Photos of one burst or place flatter these figures: "
_APART = (
    "dogid keeps near-duplicates together, either to train on or to judge with, but not all photos of one object, day "
    "or camera. "
)
_BY_HASH = (
    "with --fine-tune single photos are held out, by a hash of their content, also where nearly the same ones are "
    "trained on. "
)
_BY_AUTHOR = "those in test/ and val/ are judged, however near they are to those in train/. "
_REMEDY = "Name files by their source and use --group-by, or judge with photos from elsewhere: dogid judge."


def render_training_page(
    result: RetrainResult, document: dict[str, Any], table: str, further: Sequence[str] = ()
) -> str:
    """Return the whole document; it needs no other file and no network.

    document and table are those of `report`, further are elements to be shown at the end.
    """
    evaluation = document["by_group"] or document["held_out"]
    title = f"{count_of(len(result.dataset.labels), 'label')}, {count_of(len(result.dataset.photos), 'photo')}" + (
        f": {evaluation['accuracy']:.1%} right" if evaluation else ": not judged"
    )
    parts = [f"<h1>{escape(title)}</h1>"]
    parts += [f"<p><strong>{escape(sentence)}.</strong></p>" for sentence in result.advice]
    if evaluation:
        parts.append(f"<p>{escape(describe_accuracy(evaluation))}</p>")
    parts.append(f"<p>{escape(describe_flattery(document))}</p>")
    parts.append(f'<pre tabindex="0">{escape(table)}</pre>{render_glossary(TRAINING)}')
    if evaluation:
        parts.append("<h2>Confusion matrix</h2><p>Rows: the true label; columns: the answer.</p>")
        drawn = render_confusion("the model", document["labels"], evaluation["confusion"])
        parts.append(f'<div class="matrices"><div>{drawn}</div></div>')
    parts += _render_mistakes(result)
    parts += _render_left_out(document["photos"])
    parts += _render_near_duplicates(result)
    return render_page(title, [*parts, *further])


def describe_flattery(document: dict[str, Any]) -> str:
    """Return why the figures may be too good, which depends on how photos were held out."""
    if document["held_out"] is not None and document["held_out"]["split"] == OWN_SPLIT:
        return _CAUTION + _BY_AUTHOR + _REMEDY
    return _CAUTION + (_BY_HASH if document["learning"] else _APART) + _REMEDY


def describe_accuracy(evaluation: dict[str, Any]) -> str:
    """Return in plain words how good the model is, and which label it recognises least."""
    low, high = evaluation["accuracy_95"]
    photos = count_of(evaluation["photos"], "photo")
    found = (
        f"Of {photos} that it was not trained on, the model is right about {evaluation['accuracy']:.1%}; with other "
        f"photos of the same kind it may be {low:.1%} to {high:.1%}."
    )
    known = {label: share for label, share in evaluation["recall"].items() if share is not None}
    if len(known) < 2 or len(set(known.values())) == 1:
        return found
    worst = min(known, key=lambda label: known[label])
    return f"{found} It recognises {worst} least: {known[worst]:.1%} of its photos."


def _render_left_out(photos: dict[str, Any]) -> list[str]:
    """Return a table of the files that were neither trained on nor judged, with the reasons."""
    rows = [(skipped["file"], skipped["reason"]) for skipped in photos["skipped"]]
    rows += [(" and ".join(files), "the same photo under two labels") for files in photos["conflicting_labels"]]
    if not rows:
        return []
    shown = "".join(f"<tr><td>{escape(file)}</td><td>{escape(reason)}</td></tr>" for file, reason in rows[:_MOST_ROWS])
    more = f"<p>And {len(rows) - _MOST_ROWS:,} more; the JSON report has all.</p>" if len(rows) > _MOST_ROWS else ""
    return [f"<h2>{count_of(len(rows), 'file')} left out</h2><table><tbody>{shown}</tbody></table>{more}"]


def _render_mistakes(result: RetrainResult) -> list[str]:
    if not result.misclassified:
        return []
    paths = _paths(result)
    worst_first = sorted(result.misclassified, key=lambda mistake: (-mistake.probability, mistake.file))
    pictures = [
        Picture(paths[mistake.file], mistake.file, mistake.label, f"{mistake.predicted} {mistake.probability:.2f}")
        for mistake in worst_first
    ]
    return [
        f"<h2>{count_of(len(pictures), 'mistake')}</h2><p>The surest first. The label of the folder, then the answer "
        "with its probability. Some may lie in the wrong folder.</p>",
        render_pictures(pictures),
    ]


def _render_near_duplicates(result: RetrainResult) -> list[str]:
    found = result.near_duplicates
    alike = count_of(found.photos, "photo looks", "photos look")
    parts = [f"<h2>Near-duplicates</h2><p>{alike} nearly like another one.</p>"]
    if not found.across_labels:
        return parts
    paths = _paths(result)
    label_of = {photo.path: result.dataset.labels[photo.label] for photo in result.dataset.photos}
    parts.append("<p>These are nearly the same and under different labels: is one of them in the wrong folder?</p>")
    for cluster in found.across_labels:
        members = [paths[name] for name in cluster]
        parts.append(
            render_pictures([
                Picture(path, name, label_of[path], "", wrong=False)
                for name, path in zip(cluster, members, strict=True)
            ])
        )  # fmt: skip
    return parts


def _paths(result: RetrainResult) -> dict[str, Path]:
    """Return the photos' paths by their names in the report."""
    root = result.dataset.root
    return {shown_name(os.fsencode(photo.path.relative_to(root))): photo.path for photo in result.dataset.photos}
