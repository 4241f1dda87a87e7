"""What `dogid learn` prints, in words that need no statistics."""

from typing import Any

import pytest

from dogid.learning_run.report import format_contradictions, format_figures, format_report
from dogid.learning_run.stored_contradictions import UnknownPhotoError, choose_photos

_NOTHING_COUNTED: dict[str, int] = dict.fromkeys(
    ("known", "relabelled", "confirmed", "dropped", "withdrawn", "left_out"), 0
)


def contradiction(name: str | None, sha256: str = "ab" * 32) -> dict[str, Any]:
    return {"sha256": sha256, "name": name, "label": "other", "other": "pug", "reason": "looks like pug"}


def test_contradictions_of_the_model_itself_can_be_answered() -> None:
    lines = format_contradictions([contradiction(None) for _ in range(53)] + [contradiction("a.jpg")])

    assert lines[0].startswith("1 reviewed photo contradicts others, left out until someone says what it shows")
    assert lines[1] == "  a.jpg: looks like pug"
    assert lines[2].startswith("53 photos of the model's own training contradict what people said")
    assert lines[3] == "  other>pug: 53 photos: looks like pug"
    assert lines[4].startswith("    dogid learn --relabel 'other>pug'  ")
    assert lines[5].startswith("the page /models")
    assert len(lines) == 6


def test_groups_are_chosen_as_listed() -> None:
    asked = [
        contradiction(None, digit * 64) | {"answer": answer, "label": label}
        for digit, label, answer in (
            ("1", "other", None),
            ("2", "other", None),
            ("3", "cat", None),
            ("4", "cat", "drop"),
        )
    ]

    def choose(*given: str, answered: bool = False) -> str:
        return "".join(sha256[0] for sha256 in choose_photos(asked, given, answered=answered))

    assert (choose("other>pug"), choose("all"), choose("cat>pug", "111111")) == ("12", "123", "31")
    assert choose("all", answered=True) == "4"
    for wrong, reason in (("pug>other", "groups are: other>pug, cat>pug"), ("abcdef", "no photo"), ("1", "no photo")):
        with pytest.raises(UnknownPhotoError, match=reason):
            choose(wrong)


def test_answers_are_listed_with_what_was_said() -> None:
    answered: list[dict[str, Any]] = [
        {"sha256": "ab" * 32, "answer": "relabel", "answer_label": "pug"},
        {"sha256": "cd" * 32, "answer": "drop", "answer_label": None},
    ]
    assert format_contradictions([], answered) == [
        "nothing contradicts itself",
        "2 photos of the model's own training with an answer (to take it back: dogid learn --ask-again SHA256, or "
        "all):",
        "  relabel pug: 1 photo: abababababab",
        "  drop: 1 photo: cdcdcdcdcdcd",
    ]


def test_report_says_how_many_photos_are_enough_and_left_out() -> None:
    better = {"photos": 1, "before_share": 0.0, "after_share": 1.0, "gained": 1, "lost": 0}
    document: dict[str, Any] = {
        "passed": False,
        "learned_from": {"reviewed": 1, "clusters": 1, "stored": 2000, "without_embedding": 3, **_NOTHING_COUNTED},
        "unreadable": [{"file": "cut.jpg", "reason": "truncated: the photo ends too early"}],
        "new_labels": [{"label": "pug", "photos": 1, "clusters": 1, "recall": None}],
        "gate": {
            "better": {**better, "e_value": 1.5, "needed": 20.0, "mcnemar_p": 1.0},
            "not_worse": {"statement": "no change"}, "since_training": None, "labels": [], "reasons": [],
        },
        "replay": {"photos": 24, "changed": 2, "by_label": []},
        "thresholds": [], "notes": [], "precision": 0.95,
    }  # fmt: skip
    lines = format_report(document)

    assert format_figures(document) == [
        "of the reviewed photos, answered correctly: 0% before, 100% after",
        "old labels: no change",
    ]
    assert lines[0].startswith("learned from 1 reviewed photo (1 without near-duplicates) and 2,000 photos")
    assert lines[1:4] == [
        "left out, as gone before this model saw them: 2 photos",
        "left out, as they cannot be read: 1 photo",
        "  cut.jpg: truncated: the photo ends too early",
    ]
    assert lines[4].endswith("cannot be known of so few; 1 is few, 20 are mostly enough")
    assert lines[5].endswith("1 gained, 0 lost, near-duplicates counted once: that does not show that it is better")
    assert "of the 24 newest photos that nobody has reviewed, 2 would get another answer" in lines
