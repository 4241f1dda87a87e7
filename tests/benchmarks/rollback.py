"""How often a model that `auto` activated is left, by simulated words: the table of RESULTS.md.

`python -m tests.benchmarks.rollback`: 50 looks, 40 new photos between two of them.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from tests.support.word_histories import Models, Person, count_words_until_rollback

_PEOPLE = [Person(1, 0), Person(1, 0.02), Person(1, 0.1), Person(1, 0.3), Person(1, 1), Person(0.7, 0), Person(0.5, 0)]
_MODELS = [Models(0.01, 0.01), Models(0.025, 0.025), Models(0.05, 0.05), Models(0.05, 0.01), Models(0.1, 0.01),
    Models(0.2, 0.01)]  # fmt: skip


def measure(histories: int) -> Iterator[str]:
    """Yield the table's rows."""
    yield "| corrects | confirms | " + " | ".join(f"{m.better_before:.1%} : {m.better_now:.1%}" for m in _MODELS) + " |"
    yield "| --- | --- |" + " --- |" * len(_MODELS)
    for person in _PEOPLE:
        cells = []
        for models in _MODELS:
            rng = np.random.default_rng(0)
            words = [count_words_until_rollback(models, person, rng) for _ in range(histories)]
            left = [count for count in words if count is not None]
            cells.append(f"{len(left) / histories:.1%}" + (f", {np.median(left):.0f} words" if left else ""))
        yield f"| {person.corrects:.0%} | {person.confirms:.0%} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=1000)
    for row in measure(parser.parse_args().histories):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
