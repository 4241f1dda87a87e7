"""Going back by itself: seldom from a model that is as good, soon from a worse one, whatever people are like."""

import numpy as np
import pytest

from tests.support.word_histories import Models, Person, count_words_until_rollback

_HISTORIES = 100


@pytest.mark.parametrize(
    "person", [Person(1, 0), Person(1, 0.1), Person(1, 1), Person(0.5, 0.02)], ids=lambda one: f"{one.corrects}"
)
def test_equally_good_model_is_seldom_left(person: Person) -> None:
    rng, models = np.random.default_rng(0), Models(0.04, 0.04)
    left = [count_words_until_rollback(models, person, rng, looks=25) for _ in range(_HISTORIES)]

    assert sum(words is not None for words in left) <= 0.05 * _HISTORIES


def test_worse_model_is_left_after_few_corrections() -> None:
    rng, models = np.random.default_rng(0), Models(0.1, 0.01)
    words = [count_words_until_rollback(models, Person(0.9, 0), rng) for _ in range(30)]

    assert all(count is not None and count <= 60 for count in words)
