"""The report of a learning run: as JSON for programs, as text for people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dogid.learning.contradictions import Contradiction
from dogid.learning.gate import Gate
from dogid.learning.learned import Learned
from dogid.learning_run.gather import REPLAYED, Gathered
from dogid.settings import format_thresholds

_MOST_CHANGES = 200  # photos that the JSON names
_MOST_LINES = 20  # of one kind, in the text

Document = dict[str, Any]


def describe_learned(learned: Learned, gathered: Gathered) -> Document:
    """Return the report of a learned layer, without its model."""
    recent = min(learned.recent, REPLAYED)
    return {
        "passed": learned.gate.passed,
        "labels": list(learned.labels),
        "new_labels": [asdict(label) for label in learned.new_labels],
        "learned_from": {
            **asdict(learned.counts),
            "unsure": gathered.unsure,
            "without_embedding": gathered.without_embedding,
        },
        "gate": _describe_gate(learned.gate),
        "calibration_error": {"before": learned.calibration_before, "after": learned.calibration_after},
        "temperature": learned.temperature,
        "thresholds": [asdict(threshold) for threshold in learned.thresholds],
        "contradictions": describe_contradictions(learned.contradictions),
        "replay": {
            "photos": recent,
            "changed": len(learned.changed),
            "by_label": [asdict(change) for change in learned.changes],
            "photos_changed": [
                {"id": gathered.recent_photos[at].photo_id, "before": before, "after": after}
                for at, before, after in learned.changed[:_MOST_CHANGES]
            ],
        },
        "notes": list(learned.notes),
    }


def describe_contradictions(contradictions: Sequence[Contradiction]) -> list[Document]:
    """Return contradictions as JSON."""
    return [asdict(one) for one in contradictions]


def _describe_gate(gate: Gate) -> Document:
    return {**asdict(gate), "reasons": list(gate.reasons), "labels": [asdict(label) for label in gate.labels]}


def format_report(document: Document) -> list[str]:
    """Return the report as lines."""
    counts, gate = document["learned_from"], document["gate"]
    better, not_worse = gate["better"], gate["not_worse"]
    lines = [
        f"learned from {counts['reviewed']} reviewed photos ({counts['clusters']} without near-duplicates) and "
        f"{counts['stored']} stored ones"
    ]
    lines += [
        f"{number} {what}"
        for number, what in (
            (counts["known"], "reviewed photos were learned before"),
            (counts["relabelled"], "stored photos have the label that people gave them"),
            (counts["withdrawn"], "stored photos are no longer learned from, as people took back what they had said"),
            (counts["left_out"], "photos are left out, as their labels contradict others: dogid learn --check"),
            (counts["without_embedding"], "reviewed photos are gone, and this network never saw them: left out"),
        )
        if number
    ]
    for label in document["new_labels"]:
        recall = "unknown" if label["recall"] is None else f"{label['recall']:.0%}"
        lines.append(f"new label {label['label']}: {label['photos']} photos, recognised {recall} (cross-validated)")
    if better["photos"]:
        lines.append(
            f"of what you reviewed, answered rightly: {better['before_share']:.0%} before, {better['after_share']:.0%} "
            f"after; {better['gained']} gained, {better['lost']} lost; evidence {better['e_value']:.3g} (needed: "
            f"{better['needed']:g}), McNemar's p {better['mcnemar_p']:.3g}"
        )
    lines.append(f"old labels: {not_worse['statement']}")
    if gate["since_training"]:
        lines.append(f"since training, over all rounds of learning: {gate['since_training']['statement']}")
    lines += [
        f"  {label['label']}: {label['before']:.1%} before, {label['after']:.1%} after, of {label['photos']} photos, "
        "each by layers refitted without it"
        for label in gate["labels"][:_MOST_LINES]
    ]
    replay = document["replay"]
    if replay["photos"]:
        lines.append(f"of the newest {replay['photos']} photos, {replay['changed']} would get another answer")
        lines += [
            f"  {change['before']} -> {change['after']}: {change['photos']}"
            for change in replay["by_label"][:_MOST_LINES]
        ]
    lines += _propose_thresholds(document)
    lines += [f"note: {note}" for note in document["notes"]]
    lines.append("the gate: passed" if document["passed"] else "the gate: NOT passed")
    lines += [f"  {reason}" for reason in gate["reasons"]]
    return lines


def _propose_thresholds(document: Document) -> list[str]:
    """Return the lines of the settings' file by which the new model's answers are as precise as was asked for."""
    proposed = document["thresholds"]
    if not proposed:
        return []
    unsure, answers = (sum(one[key] for one in proposed) for key in ("unsure", "answers"))
    lines = format_thresholds({one["label"]: one["threshold"] for one in proposed})
    return [
        f"with these lines in the settings, {document['precision']:.0%} of what is not unsure is right "
        f"({unsure} of {answers} answers with these labels are unsure then):",
        *(f"  {line}" for line in lines),
    ]


def format_contradictions(contradictions: Sequence[Document]) -> list[str]:
    """Return contradictions as lines."""
    if not contradictions:
        return ["nothing contradicts itself"]
    lines = [f"{len(contradictions)} photos contradict others, and are left out until someone says what they show:"]
    return lines + [
        f"  {one['name'] or 'stored photo ' + one['sha256'][:12]}: {one['reason']}" for one in contradictions
    ]
