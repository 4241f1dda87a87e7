"""What a collection of photos is too small for, in words."""

import math
from collections.abc import Sequence

from dogid.file_names import join_names
from dogid.quantities import count_of
from dogid_convert.training.holdout import HeldOutEvaluation
from dogid_convert.training.near_duplicates import Alike

FEWEST = 10
"""Photos of a label below which it is hardly learned, and its recall not known."""
ENOUGH = 30
"""Photos of a label from which on a model is usually of use; more still help."""
_MORE_KINDS = "add photos of other days, places and objects"
_VAGUE = 0.05  # half of an accuracy's interval above which it says little


def describe_few_photos(
    counts: dict[str, int], evaluation: HeldOutEvaluation | None, always_trained: Sequence[Alike] = ()
) -> tuple[str, ...]:
    """Return sentences about labels with too few photos, and about figures that are not known or only roughly.

    counts are photos per label, always_trained clusters that nothing is judged by.
    """
    scarce = [f"{label} has {count_of(count, 'photo')} only" for label, count in counts.items() if count < FEWEST]
    few = [f"{label} {count}" for label, count in counts.items() if FEWEST <= count < ENOUGH]
    found = []
    if scarce:
        found.append(f"{join_names(scarce)}: too few to learn from or to judge on; {ENOUGH} or more are needed")
    if few:
        found.append(f"few photos of some labels ({join_names(few)}): with {ENOUGH} or more a model is usually better")
    if always_trained:
        named = join_names([f"{alike.photos} like {alike.file}" for alike in always_trained])
        found.append(f"photos that look alike are always trained on and not judged: {named}; {_MORE_KINDS}")
    if evaluation is None:
        reason = "all photos look alike" if always_trained else "too few photos to judge on any"
        found.append(f"{reason}: nothing is known about how often the model is right")
        return tuple(found)
    recalls = evaluation.metrics.recalls
    unjudged = [label for label, recall in zip(counts, recalls, strict=True) if math.isnan(recall)]
    if unjudged:
        found.append(
            f"no photo of {join_names(unjudged)} is judged: nothing is known about how often it is recognised, and "
            f"macro recall is over {len(recalls) - len(unjudged)} of {len(recalls)} labels"
        )
    interval = evaluation.metrics.accuracy_interval
    if interval.high - interval.low > 2 * _VAGUE:
        found.append(
            f"{count_of(evaluation.metrics.photos, 'photo is', 'photos are')} too few to know how good the "
            f"model is: it may be right for {100 * interval.low:.0f} % as well as for {100 * interval.high:.0f} %"
        )
    return tuple(found)
