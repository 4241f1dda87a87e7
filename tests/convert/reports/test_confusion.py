"""Confusion matrices in every medium, whatever the labels are."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="pictures of confusion matrices need matplotlib")

from dogid.evaluation.confusion_html import render_confusion
from dogid.evaluation.confusion_text import format_confusion
from dogid_convert.reports.confusion_png import draw_confusion
from tests.support.daemon import environment

COUNTS = [[3, 1, 0], [0, 4, 0], [0, 0, 0]]
"""[true label][answer]."""


def counts(labels: int) -> list[list[int]]:
    """Mostly right answers, and each label once taken for the next."""
    return [[int(count) for count in row] for row in np.eye(labels) * 20 + np.eye(labels, k=1)]


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def test_text_has_counts_and_recall_per_label() -> None:
    lines = format_confusion("float32", ["pug", "poodle", "cat"], COUNTS, complete_in="report.json")

    assert lines[0].split() == ["float32:", "true,", "answered", "pug", "poodle", "cat", "recall"]
    assert [line.split() for line in lines[1:]] == [
        ["pug", "3", "1", "0", "75.0%"],
        ["poodle", "0", "4", "0", "100.0%"],
        ["cat", "0", "0", "0", "-"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_text_names_where_many_labels_are_found() -> None:
    lines = format_confusion("int8", [f"label {i}" for i in range(13)], counts(13), complete_in="report.json")

    assert lines == ["int8: confusion matrix of 13 labels in report.json"]


def test_html_draws_few_labels_with_share_right() -> None:
    shown = render_confusion("int8", ["pug", "poodle <i>", "a dog with a very long name"], COUNTS)

    assert shown.count("<rect") == 9
    assert "poodle &lt;i&gt;" in shown
    assert "<title>a dog with a very long name</title>" in shown
    assert 'aria-label="confusion matrix of int8: 87.5% of 8 right"' in shown


def test_html_lists_most_frequent_mistakes_of_many_labels() -> None:
    many = counts(21)
    many[7][3] = 9
    shown = render_confusion("int8", [f"label {i}" for i in range(21)], many)

    assert "<svg" not in shown
    assert shown.index("<td>label 7</td><td>label 3</td>") < shown.index("<td>label 0</td><td>label 1</td>")
    assert "9 of 30" in shown


@pytest.mark.parametrize("labels", [2, 4, 30, 85])
def test_picture_grows_with_labels_up_to_a_limit(labels: int) -> None:
    image = opened(draw_confusion("title", [f"label {i}" for i in range(labels)], counts(labels)))

    assert image.width >= min(labels * 0.33, 27) * 120  # room for a readable number in each cell
    assert image.width <= 3700


def test_picture_can_be_read_without_colour() -> None:
    """The right answers are much darker than the mistakes, those than nothing."""
    pixels = np.asarray(opened(draw_confusion("title", ["a", "b", "c"], counts(3))).convert("L")).astype(int)

    greys, found = np.unique(pixels, return_counts=True)
    patches = greys[found > 2000]
    assert patches.min() < 90
    assert patches.max() > 240
    assert ((patches > 150) & (patches < 235)).any()


@pytest.mark.parametrize("label", ["$5$ {a}", "犬", "a" * 300, "x_1^2", "%", "&<>"])
def test_picture_of_any_label_has_usual_width(label: str, recwarn: pytest.WarningsRecorder) -> None:
    image = opened(draw_confusion(label[:20], [label, "other"], counts(2)))

    assert image.width < 1200
    assert not recwarn.list


def test_picture_does_not_depend_on_user_settings(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nfont.size: 20\nbackend: TkAgg\n")
    code = (
        "import sys; from dogid_convert.reports.confusion_png import draw_confusion; "
        "sys.stdout.buffer.write(draw_confusion('title', ['a', 'b'], [[3, 1], [0, 2]]))"
    )
    drawn = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=environment() | {"MATPLOTLIBRC": str(tmp_path)},
        cwd=os.getcwd(),
    ).stdout
    assert drawn == draw_confusion("title", ["a", "b"], [[3, 1], [0, 2]])
