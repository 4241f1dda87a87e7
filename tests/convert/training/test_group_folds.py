import re
from pathlib import Path

import numpy as np
import pytest

from dogid.dataset.labelled_photos import LabelledPhoto
from dogid.errors import UsageError
from dogid_convert.training.group_folds import make_group_folds


def photos_of(**groups: int) -> list[LabelledPhoto]:
    return [LabelledPhoto(Path(f"{g}__{i}.jpg"), i % 2, f"{g}{i}") for g, count in groups.items() for i in range(count)]


def test_groups_are_never_split_between_folds() -> None:
    photos = photos_of(a=5, b=6, c=7, d=8, e=4, f=5, g=2)
    folds, _ = make_group_folds(photos, re.compile("[^_]+"))

    assert (np.sum(folds, axis=0) == 1).all()
    for fold in folds:
        inside = {photos[i].path.name[0] for i in np.flatnonzero(fold)}
        outside = {photos[i].path.name[0] for i in np.flatnonzero(~fold)}
        assert not inside & outside


def test_too_large_group_is_always_trained_on() -> None:
    photos = photos_of(big=50, a=6, b=6)
    folds, always = make_group_folds(photos, re.compile("[^_]+"))

    assert always == ("big",)
    assert not any(fold[:50].any() for fold in folds)


def test_folds_are_of_similar_size() -> None:
    folds, _ = make_group_folds(photos_of(**{f"g{i}": 10 for i in range(10)}), re.compile("[^_]+"))

    assert [int(fold.sum()) for fold in folds] == [20] * 5


def test_fewer_than_two_groups_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="two are needed"):
        make_group_folds(photos_of(a=3), re.compile("[^_]+"))
