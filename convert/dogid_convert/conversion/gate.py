"""The gate that a converted model must pass: it refuses only what is shown to be worse.

Where labels are known, both models are compared by how often they are right; where not, or where they differ on too few
photos to show it, by how often they agree.
"""

from dataclasses import dataclass

from dogid.evaluation.compare import Accuracies, Agreement
from dogid.quantities import count_of

SIGNIFICANT = 0.05
"""McNemar's p below which a difference is taken to be real."""
TOLERATED_LOSS = 0.01
"""Of accuracy: many photos make a tenth of a point significant, and int8 may cost that. Raising it lets worse models
through; lowering it refuses models that are as good in use."""
FEWEST_DIFFERING = 6
"""Photos that only one of both models is right for, below which McNemar's p cannot fall under `SIGNIFICANT` (2 / 2^6 is
.03). Lowering it lets models through that nothing could have refused; raising it refuses some for harmless answers."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model may be written, and why."""

    passed: bool | None
    """None where nothing was measured."""
    reason: str
    doubt: str = ""
    """What a user should know of a model that passes; "" for nothing."""


def decide(agreement: Agreement | None, accuracies: Accuracies | None, min_agreement: float) -> Verdict:
    """Return the verdict on a model, given how far it agrees with the float one, and how often both are right."""
    if accuracies is not None:
        by_accuracy = _decide_by_accuracy(accuracies)
        differing = accuracies.disagreement.only_first_right + accuracies.disagreement.only_second_right
        if agreement is None or differing >= FEWEST_DIFFERING or not _lost_share(accuracies) > TOLERATED_LOSS:
            return by_accuracy
        by_agreement = _decide_by_agreement(agreement, min_agreement)
        return by_accuracy if by_agreement.passed else by_agreement
    if agreement is not None:
        return _decide_by_agreement(agreement, min_agreement)
    return Verdict(passed=None, reason="no photos were given; --calibrate or --evaluate measure it")


def _decide_by_accuracy(accuracies: Accuracies) -> Verdict:
    test, photos, lost = accuracies.disagreement, accuracies.converted.photos, _lost_share(accuracies)
    figures = (
        f"of {photos} labelled photos it is right for {100 * accuracies.converted.accuracy:.1f} %, the float graph for "
        f"{100 * accuracies.float_model.accuracy:.1f} %"
    )
    if lost <= 0 or test.p_value >= SIGNIFICANT:
        if lost > TOLERATED_LOSS:
            doubted = f"it seems to be right less often, which may be chance: {figures}"
            return Verdict(passed=True, reason=doubted, doubt=doubted)
        return Verdict(passed=True, reason=f"no sign that it is worse: {figures}")
    if lost <= TOLERATED_LOSS:
        return Verdict(
            passed=True, reason=f"hardly worse: {figures}", doubt=f"it is right a little less often: {figures}"
        )
    return Verdict(passed=False, reason=f"it is right less often: {figures}")


def _lost_share(accuracies: Accuracies) -> float:
    """Return by how much of all photos the converted model is right less often."""
    test = accuracies.disagreement
    return (test.only_first_right - test.only_second_right) / accuracies.converted.photos


def _decide_by_agreement(agreement: Agreement, min_agreement: float) -> Verdict:
    low, high = agreement.interval
    figures = (
        f"its label is the float graph's for {100 * agreement.share:.1f} % of {count_of(agreement.photos, 'photo')} "
        f"not used to calibrate (95 % interval {100 * low:.1f} to {100 * high:.1f} %; wanted: "
        f"{100 * min_agreement:.1f} %)"
    )
    if high < min_agreement:
        return Verdict(passed=False, reason=figures)
    if agreement.share < min_agreement:
        doubt = f"that it agrees often enough is not certain: {figures}; more photos show it"
        return Verdict(passed=True, reason=figures, doubt=doubt)
    return Verdict(passed=True, reason=figures)
