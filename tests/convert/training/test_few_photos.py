import numpy as np

from dogid.evaluation.metrics import evaluate
from dogid_convert.training.few_photos import describe_few_photos
from dogid_convert.training.holdout import HeldOutEvaluation
from dogid_convert.training.near_duplicates import Alike


def all_right(photos: int, labels: int = 2, judged: int | None = None) -> HeldOutEvaluation:
    """Return figures of that many labels, of which so many have photos."""
    truth = np.arange(photos) % (judged or labels)
    return HeldOutEvaluation("", evaluate(np.eye(labels)[truth], truth), 0.0)


def test_enough_photos_need_no_words() -> None:
    assert describe_few_photos({"cat": 100, "dog": 100}, all_right(200)) == ()


def test_labels_with_too_few_photos_are_named() -> None:
    found = describe_few_photos({"cat": 1, "cow": 12, "dog": 500}, all_right(513, labels=3))

    assert found == (
        "cat has 1 photo only: too few to learn from or to judge on; 30 or more are needed",
        "few photos of some labels (cow 12): with 30 or more a model is usually better",
    )


def test_vague_accuracy_is_called_so() -> None:
    (found,) = describe_few_photos({"cat": 30, "dog": 30}, all_right(8))

    assert found == "8 photos are too few to know how good the model is: it may be right for 63 % as well as for 100 %"


def test_figures_without_photos_are_unknown() -> None:
    assert "nothing is known" in describe_few_photos({"cat": 40, "dog": 40}, None)[0]


def test_unjudged_label_and_its_photos_are_named() -> None:
    counts = {"cat": 100, "dog": 100, "door": 30}
    alike, unjudged = describe_few_photos(counts, all_right(200, labels=3, judged=2), [Alike("door/1.jpg", 30)])

    assert "not judged: 30 like door/1.jpg; add photos of other days" in alike
    assert unjudged.startswith("no photo of door is judged")
    assert unjudged.endswith("macro recall is over 2 of 3 labels")


def test_two_fixed_scenes_are_called_alike_not_few() -> None:
    scenes = [Alike("day/1.jpg", 40), Alike("night/1.jpg", 40)]
    alike, unknown = describe_few_photos({"day": 40, "night": 40}, None, scenes)

    assert "40 like day/1.jpg, 40 like night/1.jpg; add photos" in alike
    assert unknown == "all photos look alike: nothing is known about how often the model is right"
