"""What the names of the labels show before anything is trained: two that are one, and none for everything else."""

import re
from collections.abc import Sequence

from dogid.dataset.alike_labels import find_alike

_EVERYTHING_ELSE = re.compile(
    r"(?:^|[\W_])(?:others?|else|rest|none|nothing|no|not|non|unknown|background|negatives?|misc|empty|random|without)"
    r"(?:$|[\W_])",
    re.IGNORECASE,
)
"""In the name of a label for photos that show none of the others."""


def describe_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Return sentences about labels that are spelt alike, and about a missing one for everything else."""
    found = [
        f"the folders {' and '.join(group)} become {len(group)} labels: if they are the same, put their photos into one"
        for group in find_alike(labels)
    ]
    if not any(_EVERYTHING_ELSE.search(label) for label in labels):
        found.append(
            "every photo will get one of these labels, whatever it shows: if it may show something else, add a folder "
            "such as other/ with photos of all kinds of other things"
        )
    return tuple(found)
