"""The report's page holds what a person wants to see, whatever the labels are."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="converting needs TensorFlow")

from dogid.evaluation.compare import compare_accuracy, measure_agreement
from dogid_convert.conversion.label_files import GraphLabels
from dogid_convert.conversion.report import Cost, Report
from dogid_convert.conversion.report_html import render_html_report
from dogid_convert.graph.network import GraphFact


def page(labels: tuple[str, ...]) -> str:
    random = np.random.default_rng(0)
    first = random.dirichlet([0.1] * len(labels), 400).astype(np.float32)
    truth = np.where(random.random(400) < 0.8, first.argmax(axis=1), 1)
    report = Report(
        graph=Path("graph.pb"),
        dtype="int8",
        interface=("uint8", "float32"),
        facts=(GraphFact("input", "input", "the graph's only input"),),
        labels=GraphLabels(labels, Path("labels.txt")),
        representative_dataset=None,
        float_cost=Cost(1_000_000, 1.0),
        cost=Cost(300_000, 2.0),
        float_operators={},
        agreement=measure_agreement(first, first),
        min_agreement=0.98,
        accuracies=compare_accuracy(first, first, truth, labels),
        evaluated=None,
        differences=(),
        attempts=(),
        warnings=("only a few photos",),
    )
    return render_html_report(report)


def test_few_labels_are_drawn_as_matrices() -> None:
    shown = page(("pug", "poodle <i>", "a dog with a very long name"))

    assert shown.count("<svg") == 2
    assert "poodle &lt;i&gt;" in shown
    assert "<title>a dog with a very long name</title>" in shown


def test_thousand_labels_list_most_confused_pairs() -> None:
    shown = page(tuple(f"label {i}" for i in range(1000)))

    assert "<svg" not in shown
    assert "<th>answered</th>" in shown
    assert shown.count("<tr>") <= 2 * 26
    assert len(shown) < 50_000


def test_warnings_and_a_slower_model_are_shown() -> None:
    shown = page(("pug", "poodle"))

    assert "only a few photos" in shown
    assert "int8 is slower than float32 on this machine" in shown
