"""How sure an answer is, in three steps, and which other label is near."""

from collections.abc import Mapping

from dogid.result_document import Result

DEFAULT_THRESHOLD = 0.5
"""Of labels without a threshold in the settings: with less, the photo more likely shows something else."""
_SURE_SHARE = 0.8
"""Of the way from the threshold to 1, from which on an answer is sure: 0.9 for a threshold of 0.5. Raising it has more
answers look likely only."""
_NEAR = 0.5
"""Part of the best label's score that the second-best needs to be near it. Lowering it names more second labels."""

SURE, LIKELY, UNSURE = "sure", "likely", "unsure"


def certainty(result: Result, thresholds: Mapping[str, float]) -> str:
    """Return how sure the answer of a classified photo is: SURE, LIKELY or UNSURE.

    thresholds: scores (0..1) by label, below which an answer is unsure.
    """
    threshold = thresholds.get(result["label"], DEFAULT_THRESHOLD)
    if result["score"] < threshold:
        return UNSURE
    return SURE if result["score"] >= threshold + _SURE_SHARE * (1 - threshold) else LIKELY


def near_label(result: Result) -> tuple[str, float] | None:
    """Return the second-best label and its score, where that is near the best one's; None where it is not."""
    others = list(result["scores"].items())[1:2]
    return others[0] if others and others[0][1] >= _NEAR * result["score"] else None
