"""What is said about the names of labels before anything is trained."""

import pytest

from dogid_convert.training.label_advice import describe_labels


@pytest.mark.parametrize(
    "labels",
    [("cat", "other"), ("cat", "no cat"), ("cat", "not_cat"), ("bee", "wasp", "Background"), ("1 unknown", "cat")],
)
def test_label_for_everything_else_is_recognised(labels: tuple[str, ...]) -> None:
    assert describe_labels(labels) == ()


def test_labels_without_one_for_everything_else_are_advised() -> None:
    (sentence,) = describe_labels(("mother", "notebook"))

    assert sentence.startswith("every photo will get one of these labels, whatever it shows")
    assert "other/" in sentence


def test_labels_that_are_spelt_alike_are_named() -> None:
    sentence, *_ = describe_labels(("French Bulldog", "french_bulldog", "other"))

    assert sentence.startswith("the folders French Bulldog and french_bulldog become 2 labels")
