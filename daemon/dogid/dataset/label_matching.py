"""Which label of a model a folder's name stands for."""

import re
from collections.abc import Sequence


def match_labels(folders: Sequence[str], labels: Sequence[str]) -> list[int | None]:
    """Return, for each folder's name, the place of its label; None where there is none.

    Compared as TensorFlow's retrain example wrote its labels: in lower case, with blanks for all but letters and
    digits.
    """
    exact = {name: i for i, name in reversed(list(enumerate(labels)))}
    plain = {_plain(name): i for i, name in reversed(list(enumerate(labels)))}
    return [exact.get(name, plain.get(_plain(name))) for name in folders]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name.lower()).strip()
