import numpy as np

from dogid.evaluation.metrics import evaluate
from dogid_convert.training.few_photos import describe_few_photos
from dogid_convert.training.holdout import HeldOutEvaluation


def all_right(photos: int) -> HeldOutEvaluation:
    labels = np.arange(photos) % 2
    return HeldOutEvaluation("", evaluate(np.eye(2)[labels], labels), 0.0)


def test_enough_photos_need_no_words() -> None:
    assert describe_few_photos({"cat": 100, "dog": 100}, all_right(200)) == ()


def test_labels_with_too_few_photos_are_named() -> None:
    found = describe_few_photos({"cat": 1, "cow": 12, "dog": 500}, all_right(513))

    assert found == (
        "cat has 1 photo only: too few to learn from or to judge on; 30 or more are needed",
        "few photos of some labels (cow 12): with 30 or more a model is usually better",
    )


def test_vague_accuracy_is_called_so() -> None:
    (found,) = describe_few_photos({"cat": 30, "dog": 30}, all_right(8))

    assert found == "8 photos are too few to know how good the model is: it may be right for 63 % as well as for 100 %"


def test_figures_without_photos_are_unknown() -> None:
    assert "nothing is known" in describe_few_photos({"cat": 40, "dog": 40}, None)[0]
