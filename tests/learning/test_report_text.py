"""What `dogid learn` prints, in words that need no statistics."""

from typing import Any

from dogid.learning_run.report import format_contradictions, format_report

_NOTHING_COUNTED: dict[str, int] = dict.fromkeys(
    ("known", "relabelled", "confirmed", "dropped", "withdrawn", "left_out", "without_embedding"), 0
)


def contradiction(name: str | None, sha256: str = "ab" * 32) -> dict[str, Any]:
    return {"sha256": sha256, "name": name, "label": "other", "other": "pug", "reason": "looks like pug"}


def test_contradictions_of_the_model_itself_can_be_answered() -> None:
    lines = format_contradictions([contradiction(None) for _ in range(53)] + [contradiction("a.jpg")])

    assert lines[0].startswith("1 reviewed photo contradicts others, left out until someone says what it shows")
    assert lines[1] == "  a.jpg: looks like pug"
    assert lines[2].startswith("53 photos of the model's own training contradict what people said")
    assert "dogid learn --relabel, --drop or --keep SHA256" in lines[2]
    assert lines[3:] == ["  abababababab: looks like pug"] * 53


def test_answers_are_listed_with_what_was_said() -> None:
    answered: list[dict[str, Any]] = [
        {"sha256": "ab" * 32, "answer": "relabel", "answer_label": "pug"},
        {"sha256": "cd" * 32, "answer": "drop", "answer_label": None},
    ]
    assert format_contradictions([], answered) == [
        "nothing contradicts itself",
        "2 photos of the model's own training with an answer:",
        "  abababababab: relabel pug",
        "  cdcdcdcdcdcd: drop",
    ]


def test_report_says_how_many_photos_are_enough() -> None:
    better = {"photos": 1, "before_share": 0.0, "after_share": 1.0, "gained": 1, "lost": 0}
    lines = format_report(
        {
            "passed": False,
            "learned_from": {"reviewed": 1, "clusters": 1, "stored": 2000, **_NOTHING_COUNTED},
            "new_labels": [{"label": "pug", "photos": 1, "clusters": 1, "recall": None}],
            "gate": {
                "better": {**better, "e_value": 1.5, "needed": 20.0, "mcnemar_p": 1.0},
                "not_worse": {"statement": "no change"}, "since_training": None, "labels": [], "reasons": [],
            },
            "replay": {"photos": 24, "changed": 2, "by_label": []},
            "thresholds": [], "notes": [], "precision": 0.95,
        }
    )  # fmt: skip

    assert lines[0].startswith("learned from 1 reviewed photo (1 without near-duplicates) and 2,000 photos")
    assert lines[1].endswith("cannot be known of so few; 1 is few, 20 are mostly enough")
    assert "that is not enough to show that it is better (evidence 1.5, needed 20" in lines[2]
    assert "of the 24 newest photos that nobody has reviewed, 2 would get another answer" in lines
