"""What a new model is judged by: answers to photos by layers that were not fitted to them, and the models' own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dogid.learning.agreement import compare_answers, compare_rightness
from dogid.learning.comparison import Comparison
from dogid.learning.cross_validation import AllLogits, OldLogits, answer_by_folds
from dogid.learning.gate import Evidence
from dogid.learning.material import Material
from dogid.learning.photos import Indices, Mask, Parent
from dogid.learning.standardisation import Floats
from dogid.model.head import Head


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted, and what speaks against stored photos."""

    old: OldLogits
    before: AllLogits
    """Before the corrections; of stored photos alone."""
    found: AllLogits
    """After them."""
    against: NDArray[np.bool_]
    """[stored photos, labels], which labels contradict the photo's; such photos were left out."""
    fold_of_stored: Indices
    fold_of_fresh: Indices
    as_trained: tuple[Mask, Indices]
    """Which stored photos [photos] were there before all learning, and what the model answered to them then."""

    @property
    def out(self) -> Mask:
        """[stored photos], whether it was left out."""
        return np.asarray(self.against.any(axis=1))


def find_unseen(material: Material, fitted: Fitted) -> Mask:
    """Return which stored photos [photos] have known labels, were not used to train the network, and can be judged."""
    known = ~material.pseudo & ~material.stored.network_trained
    known &= ~fitted.found.unjudged_stored & ~fitted.before.unjudged_stored
    # without the photos it was trained on, how a parent's old rows answer unseen ones is not known
    return np.asarray(known & material.anew[material.stored.labels] if material.is_pseudo else known)


def find_judged(parent: Parent, material: Material, fitted: Fitted) -> Mask:
    """Return which reviewed photos [photos] show whether the new model is better.

    Photos that the network was trained on do not, nor those that the parent has learned with a label that still exists:
    it answers that one because it was taught so.
    """
    fresh = material.fresh
    known = np.array([label in parent.labels for label in material.labels], bool)[fresh.labels]
    return np.asarray(~fitted.found.unjudged & ~fresh.network_trained & ~((fresh.formerly >= 0) & known))


def gather_evidence(parent: Parent, material: Material, fitted: Fitted, head: Head) -> Evidence:
    """Return what the gate judges by; head is the new model's."""
    stored, fresh, found = material.stored, material.fresh, fitted.found
    unseen, judged = find_unseen(material, fitted), find_judged(parent, material, fitted)
    former = place_answers(parent, material, fresh.embeddings)
    reviewed = Comparison(
        former[judged] == fresh.labels[judged],
        found.fresh[judged].argmax(axis=1) == fresh.labels[judged],
        fresh.clusters[judged],
        fresh.labels[judged],
    )
    before = fitted.before.stored.argmax(axis=1) == stored.labels
    answers = found.stored.argmax(axis=1)
    after = answers == stored.labels
    contested = _find_contested(fitted, answers, stored.labels)
    written_answers = head.logits(stored.embeddings).argmax(axis=1)
    written_contested = _find_contested(fitted, written_answers, stored.labels)
    # what people confirmed counts, too: the parent has not learned it, and can only lose it
    confirmed = judged & (former == fresh.labels) & (fresh.formerly == -1)
    labels = stored.labels.astype(np.intp)
    every = ~material.pseudo & ~contested
    own = unseen & ~written_contested
    taken = np.bincount(labels[(contested | written_contested) & before], minlength=len(material.labels))
    known = np.maximum(np.bincount(labels[~material.pseudo], minlength=len(material.labels)), 1)
    originals, first_answers = fitted.as_trained
    kept = (unseen & ~contested)[originals]
    return Evidence(
        reviewed=reviewed,
        unseen=Comparison(
            np.concatenate([before[unseen], np.ones(int(confirmed.sum()), bool)]),
            np.concatenate([after[unseen], found.fresh[confirmed].argmax(axis=1) == fresh.labels[confirmed]]),
            np.concatenate([material.stored_clusters[unseen], fresh.clusters[confirmed]]),
            np.concatenate([labels[unseen], fresh.labels[confirmed]]),
        ),
        contested=np.concatenate([contested[unseen], np.zeros(int(confirmed.sum()), bool)]),
        written=Comparison(
            place_answers(parent, material, stored.embeddings)[own] == labels[own],
            written_answers[own] == labels[own],
            material.stored_clusters[own],
            labels[own],
        ),
        all_stored=Comparison(before[every], after[every], material.stored_clusters[every], labels[every]),
        contested_shares=taken / known,
        since_training=Comparison(
            (first_answers == labels[originals])[kept],
            after[originals][kept],
            material.stored_clusters[originals][kept],
            labels[originals][kept],
        ),
    )


def _find_contested(fitted: Fitted, answers: NDArray[np.intp], labels: NDArray[np.integer]) -> Mask:
    """Return which stored photos [photos] these answers give to a label that speaks against their own."""
    return np.asarray(fitted.against[np.arange(len(answers)), answers] & (answers != labels))


def find_disagreements(
    parent: Parent, material: Material, fitted: Fitted, head: Head, recent: Floats, recent_at: Floats
) -> list[str]:
    """Return where parent and new model do not answer as the layers that stand for them in the gate.

    head is the new model's; recent [photos, width] are the newest embeddings, recent_at [photos, dimensions] theirs.
    """
    stored, fresh, labels = material.stored, material.fresh, material.labels
    known = ~material.pseudo & ~fitted.out & ~fitted.found.unjudged_stored & ~fitted.before.unjudged_stored
    if material.is_pseudo:
        known &= material.anew[stored.labels]
    truth, photos = stored.labels[known], stored.embeddings[known]
    right = head.logits(photos).argmax(axis=1) == truth
    reasons = compare_rightness(
        "the new model", fitted.found.stored[known].argmax(axis=1) == truth, right, truth, labels
    )
    right = place_answers(parent, material, photos) == truth
    by_layers = fitted.before.stored[known].argmax(axis=1) == truth
    reasons += compare_rightness("the former model", by_layers, right, truth, labels)
    mine = ~fitted.found.unjudged
    truth = fresh.labels[mine]
    right = head.logits(fresh.embeddings[mine]).argmax(axis=1) == truth
    by_layers = fitted.found.fresh[mine].argmax(axis=1) == truth
    reasons += compare_rightness("the new model", by_layers, right, truth, labels)
    if len(recent):
        layers = answer_by_folds(fitted.old, fitted.found, recent_at, after=True)
        reasons += compare_answers("the new model", layers, head.logits(recent).argmax(axis=1).astype(np.intp))
        layers = answer_by_folds(fitted.old, fitted.before, recent_at, after=False)
        reasons += compare_answers("the former model", layers, place_answers(parent, material, recent))
    return list(dict.fromkeys(reasons))


def place_answers(parent: Parent, material: Material, embeddings: Floats) -> Indices:
    """Return the parent's answers [photos] as places in the new model's labels; -1 of a label that is gone."""
    place = {label: at for at, label in enumerate(material.labels)}
    places = np.array([place.get(label, -1) for label in parent.labels], np.intp)
    return np.asarray(places[parent.head.logits(embeddings).argmax(axis=1)], np.intp)
