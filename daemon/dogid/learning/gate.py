"""Whether a new model may take a model's place: two claims, each on photos that neither had learned from.

It recovers what people corrected: an e-value, the evidence of a test martingale on discordant pairs with a uniform
mixture over p > 1/2 (Ville 1939, Shafer 2021). Not worse on the old: the loss that so many photos cannot exclude
(Clopper and Pearson 1934) is within the margin that they can carry. Both count clusters of near-duplicates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.evaluation.intervals import Interval, mcnemar, share_interval
from dogid.learning.comparison import Comparison
from dogid.learning.gate_statistics import bound_loss, bound_share, compute_e_value
from dogid.learning.label_changes import LabelChange, compare_label, explain_label, find_worse_labels
from dogid.quantities import count_of

NEEDED_E_VALUE = 20.0
"""Of one layer whose answers to more and more photos are looked at, at most one in 20 that is no better reaches it.
Each learning run fits another layer, and people correct wrong answers, on which nothing can be lost: it says that a
model has learned what it was taught, and the second claim that nothing else was lost. Higher asks for more corrections:
20 needs 7 without a loss, 100 needs 9."""
_FEWEST_GAINED = 7  # without a loss; stated to people, and follows of the above
_ACCEPTED_LOSS = 0.005
"""Share of the unseen photos that may be lost: with more of them, the margin comes down to it."""
_WIDEST_MARGIN = 0.05
"""With fewer than 59 photos not even a loss of 5 points can be excluded: then nothing is shown."""
_MOST_CONTESTED = 0.03
"""Share of a label's photos that may be given to a label which contradicts them. Lower: an `other` that has many photos
of a new label in it is refused (2 % of it are left out for rottweilers); higher: as much of the label may be lost."""
_MOST_IN_ALL = 0.02
"""Share of the unseen photos that may be lost over all rounds of learning, each of which may lose a little. Lower:
models that learn many labels are refused; higher: the old ones fade."""
FEWEST_KNOWN = 5
"""Photos of a label; of fewer, whether it suffers cannot be known."""


@dataclass(frozen=True, slots=True)
class Better:
    """The first claim."""

    photos: int
    clusters: int
    gained: int
    """Clusters in which more photos are right."""
    lost: int
    e_value: float
    needed: float
    mcnemar_p: float
    before: Interval | None
    """95 % interval of the share that was right; None without photos."""
    after: Interval | None
    before_share: float | None
    after_share: float | None


@dataclass(frozen=True, slots=True)
class NotWorse:
    """The second claim."""

    photos: int
    clusters: int
    gained: int
    lost: int
    loss: float
    """Share of the clusters, below 0 where there is a gain."""
    largest_loss: float
    """That cannot be excluded, one-sided 95 %."""
    margin: float
    """That so many clusters can carry."""
    contested: int
    """Further clusters that the new model gives to a label which contradicts theirs: not counted as lost."""
    worst_loss: float
    """The loss that cannot be excluded if all contested ones are."""
    statement: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the new model is judged by."""

    reviewed: Comparison
    """Photos that people reviewed: the former model's own answers, and those of layers not fitted to the photo."""
    unseen: Comparison
    """Photos with known labels that the network was not trained on, by layers not fitted to the photo."""
    contested: NDArray[np.bool_]
    """[unseen photos], whether the new model gives them to a label which contradicts theirs."""
    written: Comparison
    """The unseen photos, by the two models' own answers: both have learned from most. Without those that the new model
    gives to a label which contradicts theirs."""
    all_stored: Comparison
    """All stored photos that are not contested, by layers not fitted to the photo."""
    contested_shares: NDArray[np.float64]
    """[labels], share of all photos of the label that is contested, also by the new model's own answers."""
    since_training: Comparison
    """The unseen photos that the first of all ancestors was trained with, by its answers and the new model's; none
    where nothing was learned before."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The judgement."""

    passed: bool
    reasons: tuple[str, ...]
    """Why it did not pass, each with the way out."""
    better: Better
    not_worse: NotWorse
    written: NotWorse
    """The same of the two models' own answers; photos that they have learned flatter both, and show damage."""
    since_training: NotWorse | None
    """The same since the model was trained, over all rounds of learning; None where this is the first."""
    labels: tuple[LabelChange, ...]


def judge(
    evidence: Evidence, names: Sequence[str], lost_labels: Sequence[str] = (), disagreements: Sequence[str] = ()
) -> Gate:
    """Return whether the new model passes; names are of the labels.

    lost_labels are those that the former model has and the new one has not though they have photos. disagreements say
    where the models do not answer as the layers that they are judged by.
    """
    unseen = evidence.unseen.select(~evidence.contested)
    better, not_worse = _judge_better(evidence.reviewed), _judge_not_worse(evidence.unseen, evidence.contested)
    written = _judge_not_worse(evidence.written, np.zeros(len(evidence.written.labels), bool))
    labels = tuple(compare_label(unseen, at, names[at]) for at in np.unique(unseen.labels).tolist())
    reasons = [f"the label {name} is missing" for name in lost_labels]
    if better.e_value < NEEDED_E_VALUE:
        reasons.append(_explain_not_better(better))
    if not_worse.margin > _WIDEST_MARGIN:
        reasons.append(
            f"{not_worse.clusters} unseen photos with known labels are too few to show that nothing old was lost; "
            "confirm right answers to have more"
        )
    elif not_worse.largest_loss > not_worse.margin:
        reasons.append(f"it may be worse on the old: {not_worse.statement}")
    reasons += [explain_label(unseen, at, names[at], "unseen") for at in find_worse_labels(unseen)]
    named = set(find_worse_labels(unseen))
    for kind, photos in (("stored", evidence.all_stored), ("stored, as the models answer them,", evidence.written)):
        worse = set(find_worse_labels(photos)) - named
        reasons += [explain_label(photos, at, names[at], kind) for at in sorted(worse)]
        named |= worse
    if written.clusters and written.largest_loss > max(written.margin, _ACCEPTED_LOSS):
        reasons.append(f"the model that is written answers the old worse: {written.statement}")
    reasons += [
        f"{evidence.contested_shares[at]:.1%} of {names[at]} would be given to labels that contradict them: either its "
        "photos are labelled wrongly, or the new label is the same thing"
        for at in np.flatnonzero(evidence.contested_shares > _MOST_CONTESTED).tolist()
    ]
    rounds = evidence.since_training
    since = _judge_not_worse(rounds, np.zeros(len(rounds.labels), bool)) if len(rounds.labels) else None
    if since is not None and since.loss > _MOST_IN_ALL:
        reasons.append(f"too much was lost over all rounds of learning: {since.statement}")
    reasons += disagreements
    return Gate(not reasons, tuple(reasons), better, not_worse, written, since, labels)


def _judge_better(photos: Comparison) -> Better:
    clusters, gained, lost = photos.count_clusters()
    p_value = mcnemar(np.arange(gained + lost) < lost, np.arange(gained + lost) >= lost).p_value
    before, after = photos.share_right() if clusters else (None, None)
    return Better(
        photos=len(photos.before),
        clusters=clusters,
        gained=gained,
        lost=lost,
        e_value=compute_e_value(gained, lost),
        needed=NEEDED_E_VALUE,
        mcnemar_p=p_value,
        before=None if before is None else _interval(before, clusters),
        after=None if after is None else _interval(after, clusters),
        before_share=before,
        after_share=after,
    )


def _interval(share: float, clusters: int) -> Interval:
    return Interval(*share_interval(round(share * clusters), clusters))


def _judge_not_worse(everything: Comparison, contested: NDArray[np.bool_]) -> NotWorse:
    photos = everything.select(~contested)
    clusters, gained, lost = photos.count_clusters()
    largest = 1.0 if not clusters else bound_loss(gained, lost, clusters)
    margin = 1.0 if not clusters else bound_share(int(_ACCEPTED_LOSS * clusters), clusters)
    loss = (lost - gained) / clusters if clusters else 0.0
    taken = len(np.unique(everything.clusters[contested & everything.before]))
    worst = bound_loss(gained, lost + taken, clusters + taken) if clusters else 1.0
    statement = _state(loss, largest, clusters)
    if taken:
        statement += (
            f" ({max(0.0, worst) * 100:.1f} if {taken} photos that would be given to labels which contradict theirs "
            "are labelled rightly)"
        )
    return NotWorse(len(photos.before), clusters, gained, lost, loss, largest, margin, taken, worst, statement)


def _state(loss: float, largest: float, clusters: int) -> str:
    if not clusters:
        return "there are no unseen photos with known labels: what was lost cannot be known"
    change = f"{abs(loss) * 100:.1f} points {'lost' if loss > 0 else 'gained'}" if loss else "no change"
    return (
        f"{change} on {clusters} unseen photos; a loss of up to {max(0.0, largest) * 100:.1f} points cannot be excluded"
    )


def _explain_not_better(better: Better) -> str:
    if not better.gained and not better.lost:
        return "no reviewed photo is answered differently: no difference"
    return (
        f"it is not shown to be better: {count_of(better.gained, 'reviewed photo')} gained and {better.lost} lost, "
        f"near-duplicates counted once; review more photos: where "
        f"none is lost, {_FEWEST_GAINED} gained ones are enough"
    )
