"""The report of a learning run: as JSON for programs, as text for people."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dogid.config_file import format_thresholds
from dogid.file_names import quote_for_shell
from dogid.learning.changed_answers import ChangedAnswer
from dogid.learning.contradictions import Contradiction
from dogid.learning.gate import Gate
from dogid.learning.learned import Learned
from dogid.learning_run.gather import REPLAYED, Gathered
from dogid.learning_run.learning_state import ENOUGH_PHOTOS
from dogid.learning_run.stored_contradictions import group_contradictions
from dogid.quantities import count_of

_MOST_CHANGES = 200  # photos that the JSON names
_MOST_HASHES = 5  # of photos with the same answer, in the text
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
            "changed": sum(one.kind != "contradicts" for one in learned.changed),
            "lost": sum(one.kind == "lost" for one in learned.changed),
            "contradicting": sum(one.kind == "contradicts" for one in learned.changed),
            "by_label": [asdict(change) for change in learned.changes],
            "photos_changed": [
                {"id": photo_id, "before": one.before, "after": one.after, "kind": one.kind, "said": one.said}
                for one in learned.changed[:_MOST_CHANGES]
                if (photo_id := _find_result(one, gathered)) is not None
            ],
        },
        "unreadable": [{"file": file, "reason": reason} for file, reason in gathered.unreadable],
        "notes": list(learned.notes),
    }


def _find_result(changed: ChangedAnswer, gathered: Gathered) -> int | None:
    """Return the id of the result that a changed answer is about; None of a photo that only the model file knows."""
    if changed.place is not None:
        return gathered.recent_photos[changed.place].photo_id
    return gathered.reviewed_results.get(changed.sha256 or "")


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
        f"learned from {count_of(counts['reviewed'], 'reviewed photo')} ({counts['clusters']:,} without "
        f"near-duplicates) and {count_of(counts['stored'], 'photo')} that the model carries from before"
    ]
    lines += [
        text.format(count_of(counts[key], "photo"))
        for key, text in (
            ("known", "a former run had learned {}"),
            ("relabelled", "people gave another label to {} of the model's own"),
            ("confirmed", "people said that the model's own labels are right: {}"),
            ("dropped", "left out, as people said: {} of the model's own"),
            ("withdrawn", "no longer learned from, as people took their word back: {}"),
            ("left_out", "left out, as labels contradict others: {}; see dogid learn --check, or the page /models"),
        )
        if counts[key]
    ]
    unreadable = document.get("unreadable", [])
    if gone := counts["without_embedding"] - len(unreadable):
        lines.append(f"left out, as gone before this model saw them: {count_of(gone, 'photo')}")
    if unreadable:
        lines.append(f"left out, as they cannot be read: {count_of(len(unreadable), 'photo')}")
        lines += [f"  {one['file']}: {one['reason']}" for one in unreadable[:_MOST_LINES]]
    lines += [_describe_new_label(label) for label in document["new_labels"]]
    if better["photos"]:
        is_shown = better["e_value"] >= better["needed"]
        verdict = "is more than chance explains: it is better" if is_shown else "does not show that it is better"
        lines.append(
            f"of the reviewed photos, answered correctly: {better['before_share']:.0%} before, "
            f"{better['after_share']:.0%} after; {better['gained']} gained, {better['lost']} lost, near-duplicates "
            f"counted once: that {verdict}"
        )
    lines.append(f"old labels: {not_worse['statement']}")
    if gate["since_training"]:
        lines.append(f"since training, over all rounds of learning: {gate['since_training']['statement']}")
    lines += [
        f"  {label['label']}: {label['before']:.1%} before, {label['after']:.1%} after, of {label['photos']} photos, "
        "each answered by a model that had not learned it"
        for label in gate["labels"][:_MOST_LINES]
    ]
    replay = document["replay"]
    if replay.get("contradicting"):
        photos = count_of(replay["contradicting"], "reviewed photo")
        lines.append(f"{photos} would get another answer that is not what a person said: look at those first")
    if replay["photos"]:
        photos = count_of(replay["photos"], "newest photo")
        lines.append(f"of the {photos} that nobody has reviewed, {replay['changed']} would get another answer")
        if replay.get("lost"):
            lines.append(f"  {count_of(replay['lost'], 'photo')} would become other: look at those first")
        lines += [
            f"  {change['before']} -> {change['after']}: {change['photos']}"
            for change in replay["by_label"][:_MOST_LINES]
        ]
    lines += _propose_thresholds(document)
    lines += [f"note: {note}" for note in document["notes"]]
    lines.append("the gate: passed" if document["passed"] else "the gate: NOT passed")
    lines += [f"  {reason}" for reason in gate["reasons"]]
    return lines


def format_figures(document: Document) -> list[str]:
    """Return what the gate went by, as lines: the two figures, and, below them, why the model did not pass."""
    better, gate = document["gate"]["better"], document["gate"]
    lines = []
    if better["photos"]:
        lines.append(
            f"of the reviewed photos, answered correctly: {better['before_share']:.0%} before, "
            f"{better['after_share']:.0%} after"
        )
    lines.append(f"old labels: {gate['not_worse']['statement']}")
    return lines + [f"  {reason}" for reason in gate["reasons"]]


def _describe_new_label(label: Document) -> str:
    text = f"new label {label['label']}: {count_of(label['photos'], 'photo')}"
    if label["recall"] is not None:
        text += f", of which a model that had not learned them recognised {label['recall']:.0%}"
    else:
        text += "; how well it is recognised cannot be known of so few"
    if label["photos"] < ENOUGH_PHOTOS:
        verb = "is" if label["photos"] == 1 else "are"
        text += f"; {label['photos']} {verb} few, {ENOUGH_PHOTOS} are mostly enough"
    return text


def _propose_thresholds(document: Document) -> list[str]:
    """Return the lines of the settings' file by which the new model's answers are as precise as was asked for."""
    proposed = document["thresholds"]
    if not proposed:
        return []
    unsure, answers = (sum(one[key] for one in proposed) for key in ("unsure", "answers"))
    lines = format_thresholds({one["label"]: one["threshold"] for one in proposed})
    return [
        f"with these lines in the settings, {document['precision']:.0%} of what is not unsure is right "
        f"({unsure} of {answers} answers with these labels, to photos whose label is known, are unsure then):",
        *(f"  {line}" for line in lines),
    ]


def format_contradictions(contradictions: Sequence[Document], answered: Sequence[Document] = ()) -> list[str]:
    """Return contradictions as lines: those of reviewed photos, then the model's own photos and what people answered.

    The model's own are in groups, which can be answered at once. answered are documents of
    `list_stored_contradictions`.
    """
    said = _format_answered(answered) if answered else []
    if not contradictions:
        return ["nothing contradicts itself", *said]
    reviewed = [one for one in contradictions if one["name"] is not None]
    own = [one for one in contradictions if one["name"] is None]
    lines = []
    if reviewed:
        what = "reviewed photo contradicts others", "reviewed photos contradict others"
        lines.append(f"{count_of(len(reviewed), *what)}, left out until someone says what it shows (dogid label):")
        lines += [f"  {one['name']}: {one['reason']}" for one in reviewed]
    if own:
        what = "photo of the model's own training contradicts", "photos of the model's own training contradict"
        lines.append(
            f"{count_of(len(own), *what)} what people said, left out until someone answers; nothing needs to be done:"
        )
        for group, photos in group_contradictions(own).items():
            lines += _format_group(group, photos)
        lines.append(
            "the page /models shows those that are in the inbox, too, and answers by a button; dogid learn --check "
            "--json lists each with its SHA256, which --relabel, --drop and --keep take as well, or all"
        )
    return lines + said


def _format_group(group: str, photos: Sequence[Mapping[str, Any]]) -> list[str]:
    reasons = {one["reason"] for one in photos}
    example = photos[0]["reason"] if len(reasons) == 1 else f"{photos[0]['reason']}, for example"
    return [
        f"  {group}: {count_of(len(photos), 'photo')}: {example}",
        f"    dogid learn --relabel {quote_for_shell(group)}    # or --drop, or --keep",
    ]


def _format_answered(answered: Sequence[Document]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for one in answered:
        answer = " ".join(filter(None, (one["answer"], one["answer_label"])))
        groups.setdefault(answer, []).append(one["sha256"][:12])
    return [
        f"{count_of(len(answered), 'photo')} of the model's own training with an answer (to take it back: dogid learn "
        "--ask-again SHA256, or all):",
        *(
            f"  {answer}: {count_of(len(hashes), 'photo')}: {', '.join(hashes[:_MOST_HASHES])}"
            + (" ..." if len(hashes) > _MOST_HASHES else "")
            for answer, hashes in groups.items()
        ),
    ]
