"""What a training's page says of how its photos were held out."""

import pytest

from dogid_convert.training.report_page import describe_flattery


@pytest.mark.parametrize(
    ("split", "learning", "words"),
    [
        ("5 folds, each photo judged once", None, "dogid keeps near-duplicates together"),
        ("a tenth of the photos, by a hash of their content", {"kept": 3}, "also where nearly the same ones"),
        ("the photos in test/ and val/", None, "however near they are to those in train/"),
    ],
)
def test_caution_says_how_photos_were_held_out(split: str, learning: dict[str, int] | None, words: str) -> None:
    found = describe_flattery({"held_out": {"split": split}, "by_group": None, "learning": learning})

    assert words in found
    assert ("keeps near-duplicates together" in found) == (learning is None and "folds" in split)
