"""What people say after a new model was activated, simulated: what they see, and of which photos they say what."""

from dataclasses import dataclass

import numpy as np

from dogid.learning.comparison import Comparison
from dogid.learning_run.after_activation import weigh_words


@dataclass(frozen=True)
class Models:
    """How often the answers of the active model and the one before are right."""

    better_before: float
    """Share of the photos that the former model alone answers rightly."""
    better_now: float
    """That the active one alone does."""
    both_wrong: float = 0.03


@dataclass(frozen=True)
class Person:
    """How often somebody who looks at all photos says something."""

    corrects: float
    """Share of the wrong answers."""
    confirms: float
    """Share of the right answers."""


def count_words_until_rollback(
    models: Models, person: Person, rng: np.random.Generator, looks: int = 50, photos: int = 40
) -> int | None:
    """Return after how many words the active model is left; None where it stays.

    The daemon looks so many times, and there are so many new photos in between.
    """
    chance = rng.random(looks * photos)
    only_before = chance < models.better_before
    only_now = ~only_before & (chance < models.better_before + models.better_now)
    edge = models.better_before + models.better_now
    wrong = only_before | ((chance >= edge) & (chance < edge + models.both_wrong))
    said = rng.random(len(chance)) < np.where(wrong, person.corrects, person.confirms)
    before = only_before | (~wrong & ~only_now)
    for look in range(1, looks + 1):
        word = said[: look * photos]
        spoken = np.flatnonzero(word)
        if not len(spoken):
            continue
        places = np.arange(len(spoken), dtype=np.intp)
        comparison = Comparison(~wrong[spoken], before[spoken], places, np.zeros(len(spoken), np.intp))
        silent = ~word
        silent[: spoken[0]] = silent[spoken[-1] :] = False  # photos before the first word and after the last
        differing = int((silent & (only_before | only_now)[: look * photos]).sum())
        if weigh_words(comparison, differing).is_worse:
            return len(spoken)
    return None
