import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.errors import UsageError
from dogid_convert.training.group_folds import ALWAYS_TRAINED, deal_folds, find_groups, weigh_by_group


def photos_of(**groups: int) -> list[LabelledPhoto]:
    return [LabelledPhoto(Path(f"{g}__{i}.jpg"), i % 2, f"{g}{i}") for g, count in groups.items() for i in range(count)]


def deal(photos: list[LabelledPhoto]) -> NDArray[np.intp]:
    groups, _ = find_groups(photos, re.compile("[^_]+"))
    return deal_folds(np.array([photo.label for photo in photos]), groups)


def test_groups_are_never_split_between_folds() -> None:
    photos = photos_of(a=5, b=6, c=7, d=8, e=4, f=5, g=2)
    folds = deal(photos)

    assert set(folds) == set(range(5))
    for fold in range(5):
        inside = {photos[i].path.name[0] for i in np.flatnonzero(folds == fold)}
        outside = {photos[i].path.name[0] for i in np.flatnonzero(folds != fold)}
        assert not inside & outside


def test_too_large_group_is_always_trained_on() -> None:
    folds = deal(photos_of(big=50, a=6, b=6))

    assert (folds[:50] == ALWAYS_TRAINED).all()
    assert (folds[50:] != ALWAYS_TRAINED).all()


def test_folds_are_of_similar_size() -> None:
    assert np.bincount(deal(photos_of(**{f"g{i}": 10 for i in range(10)}))).tolist() == [20] * 5


def test_fewer_than_two_groups_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="two are needed"):
        find_groups(photos_of(a=3), re.compile("[^_]+"))


def test_group_with_all_photos_of_a_label_is_always_trained_on() -> None:
    labels = np.repeat([0, 1, 2], [20, 20, 6])
    groups = np.concatenate([np.arange(40), np.full(6, 40)])  # each photo of the third label looks like the others
    folds = deal_folds(labels, groups)

    assert (folds[40:] == ALWAYS_TRAINED).all()
    assert (folds[:40] != ALWAYS_TRAINED).all()


def test_every_label_is_outside_each_fold() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        groups = rng.integers(0, 9, 24)
        labels = np.where(rng.random(24) < 0.2, rng.integers(0, 4, 24), groups % 4)
        folds = deal_folds(labels, groups)
        for number in np.unique(folds[folds != ALWAYS_TRAINED]):
            assert set(labels[folds != number]) == set(labels)


def test_photos_of_large_groups_count_less() -> None:
    groups = np.repeat([0, 1], [16, 1])
    weights = weigh_by_group(groups, 0.25)

    assert weights.mean() == pytest.approx(1)
    assert weights[16] / weights[0] == pytest.approx(2)
    assert weigh_by_group(groups, 0).tolist() == [1.0] * 17
    assert weigh_by_group(groups, 1)[:16].sum() == pytest.approx(weigh_by_group(groups, 1)[16])
