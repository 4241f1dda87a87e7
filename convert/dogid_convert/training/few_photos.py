"""What a collection of photos is too small for, in words."""

from dogid.file_names import join_names
from dogid_convert.training.holdout import HeldOutEvaluation

FEWEST = 10
"""Photos of a label below which it is hardly learned, and its recall not known."""
ENOUGH = 30
"""Photos of a label from which on a model is usually of use; more still help."""
_VAGUE = 0.05  # half of an accuracy's interval above which it says little


def describe_few_photos(counts: dict[str, int], evaluation: HeldOutEvaluation | None) -> tuple[str, ...]:
    """Return sentences about labels with too few photos, and about figures that are known only roughly.

    counts are photos per label.
    """
    scarce = [f"{label} has {count} photo{'s' * (count > 1)} only" for label, count in counts.items() if count < FEWEST]
    few = [f"{label} {count}" for label, count in counts.items() if FEWEST <= count < ENOUGH]
    found = []
    if scarce:
        found.append(f"{join_names(scarce)}: too few to learn from or to judge on; {ENOUGH} or more are needed")
    if few:
        found.append(f"few photos of some labels ({join_names(few)}): with {ENOUGH} or more a model is usually better")
    if evaluation is None:
        found.append("too few photos to judge on any: nothing is known about how often the model is right")
        return tuple(found)
    interval = evaluation.metrics.accuracy_interval
    if interval.high - interval.low > 2 * _VAGUE:
        found.append(
            f"{evaluation.metrics.photos} photos are too few to know how good the model is: it may be right for "
            f"{100 * interval.low:.0f} % as well as for {100 * interval.high:.0f} %"
        )
    return tuple(found)
