"""Whether what people said after a model was activated shows that the one before was better: the gate, turned round."""

import datetime as dt
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dogid.errors import UsageError
from dogid.learning.clusters import find_clusters
from dogid.learning.comparison import Comparison
from dogid.learning.gate import NEEDED_E_VALUE
from dogid.learning.gate_statistics import compute_e_value
from dogid.learning.standardisation import Floats
from dogid.ledger.reviews import EmbeddedReview, StoredEmbedding, list_newest_embeddings, list_standing_reviews
from dogid.model.classifier import Model
from dogid.model.head import Head, read_head
from dogid.model.last_layer import NoLastLayerError
from dogid.model.model_file import ModelFile, read_model_file
from dogid.model.shipped import shipped_model
from dogid.shelf.folder import noted_labels, path_on_shelf
from dogid.shelf.pointer import Entry

_NEWEST = 5000
"""Photos whose words count. More take more memory; with fewer, a model that is a little worse stays."""
_ROWS = 500  # photos answered at a time; more need memory, and save no time


@dataclass(frozen=True, slots=True)
class Judgement:
    """What people's words say about the active model and the one before it, near-duplicates counted once."""

    better_before: int
    """Photos that the former model answers rightly, and the active one not."""
    better_now: int
    """The other way round."""
    e_value: float
    """Evidence that the former model is better; valid however often one looks."""

    @property
    def is_worse(self) -> bool:
        """Whether the active model is shown to be worse."""
        return self.e_value >= NEEDED_E_VALUE


def judge_activation(
    db: sqlite3.Connection, active: Model, entry: Entry, former: Entry | None, state: Path
) -> Judgement | None:
    """Return what was said since the activation of a model by entry; None where the two models cannot be compared.

    former is the model before, None for the shipped one. Photos that the active model has learned do not count.
    """
    file = _read_former(former, state)
    network, own = active.file.network, read_model_file(active.file.path, embeddings=True).network
    if file is None or network is None or own is None or file.network is None or file.network.sha256 != own.sha256:
        return None
    try:
        heads = (read_head(file.data), tuple(file.labels or ())), (read_head(active.file.data), active.labels)
    except NoLastLayerError:
        return None
    if any(len(head.bias) != len(labels) for head, labels in heads):
        return None
    since = round(dt.datetime.fromisoformat(entry.at).timestamp() * 1000)
    learned = _read_corrections(active.file)
    standing = list_standing_reviews(db, network.sha256)
    newest = [one for one in list_newest_embeddings(db, network.sha256, _NEWEST) if network.fits(one.data)]
    known = {one.sha256 for one in newest}
    said = [
        one
        for one in standing
        if one.review.at >= since and one.review.label is not None and one.review.sha256 not in learned
        and network.fits(one.embedding or b"") and one.review.sha256 in known
    ]  # fmt: skip
    if not said:
        return Judgement(0, 0, 1.0)
    embeddings = network.read_embeddings([one.embedding or b"" for one in said])
    labels = [one.review.label or "" for one in said]
    before, now = (_answer(*head, embeddings) for head in heads)
    right = [[answer == label for answer, label in zip(answers, labels, strict=True)] for answers in (now, before)]
    accepted, differing = _find_accepted(said, standing, newest, active.file.sha256), [embeddings]
    for start in range(0, len(accepted), _ROWS):
        shown = network.read_embeddings([one.data for one in accepted[start : start + _ROWS]])
        answers = (_answer(*head, shown) for head in heads)
        differing.append(shown[[first != second for first, second in zip(*answers, strict=True)]])
    clusters = find_clusters(differing)
    of_said = clusters[: len(said)]
    comparison = Comparison(np.array(right[0]), np.array(right[1]), of_said, np.zeros(len(said), np.intp))
    # a near-duplicate of a photo with a word shows what the word is about, and is no evidence against it
    return weigh_words(comparison, len(np.setdiff1d(clusters, of_said)))


def weigh_words(said: Comparison, differing_accepted: int) -> Judgement:
    """Return what words say about the model before activation (`after` in said) and the active one (`before`).

    differing_accepted is how many photos that the active model has answered have another answer by the former one, and
    no word, near-duplicates counted once: people who correct what is wrong seldom say of right answers that they are.
    Were those not counted, what the active model does better would not be seen, and of equally good models nearly every
    one would be left (RESULTS.md, "Going back by itself").
    """
    _, better_before, better_now = said.count_clusters()
    better_now += differing_accepted
    return Judgement(better_before, better_now, compute_e_value(better_before, better_now))


def _read_former(former: Entry | None, state: Path) -> ModelFile | None:
    path = shipped_model() if former is None else path_on_shelf(state, former.name)
    try:
        file = read_model_file(path, None if former is None else noted_labels(path), embeddings=True)
    except UsageError:
        return None
    return file if former is None or file.sha256 == former.sha256 else None


def _read_corrections(file: ModelFile) -> frozenset[str]:
    provenance = file.record.get("provenance")
    corrections = provenance.get("corrections") if isinstance(provenance, dict) else None
    return frozenset(map(str, corrections)) if isinstance(corrections, list) else frozenset()


def is_learned(file: ModelFile) -> bool:
    """Whether a model was learned from what people said."""
    return bool(_read_corrections(file))


def _answer(head: Head, labels: Sequence[str], embeddings: Floats) -> list[str]:
    return [labels[at] for at in head.logits(embeddings).argmax(axis=1).tolist()]


def _find_accepted(
    said: Sequence[EmbeddedReview], standing: Sequence[EmbeddedReview], newest: Sequence[StoredEmbedding], active: str
) -> list[StoredEmbedding]:
    """Return the photos that the active model, by its SHA-256, has answered, and that people seem to have accepted.

    Those are the ones from the oldest to the newest of those of which something was said, about which nothing was.
    """
    seen, reviewed = ({one.review.sha256 for one in some} for some in (said, standing))
    places = [at for at, photo in enumerate(newest) if photo.sha256 in seen]
    between = newest[places[0] : places[-1] + 1] if places else []
    return [one for one in between if one.model == active and one.sha256 not in reviewed]
