"""Choosing the photos that are worth a person's look, the most useful first.

Whatever the order, photos that look like one that was chosen before them, as the frames of a burst do, come last: a
person is asked about them once (https://github.com/HumanSignal/label-studio/issues/3256: the uncertain ones are mostly
near-duplicates).
"""

import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dogid.ledger.reviews import (
    count_reviewed_labels,
    iterate_unreviewed,
    list_newest_embeddings,
    list_reviewed_embeddings,
)
from dogid.model.network import Network
from dogid.result_document import Result

ORDERS = ("doubt", "new", "spread")

_CANDIDATES = 2000
"""The newest unreviewed photos, of which some are chosen. More take longer, and 5 kB of memory each
meanwhile; fewer leave older ones out."""
_REVIEWED = 500
"""Reviewed contents, the newest, from which others should differ. More take longer."""
_COMPARED = 200
"""Chosen photos from which the next should differ; those after them come in their order. Each costs as much as a photo
that is compared with all candidates: more take longer, fewer repeat bursts in long lists."""
_SAME_LOOK = 0.98
"""Cosine between two embeddings from which on two photos count as frames of one burst. Lower takes photos of two
animals for one; higher asks about a burst several times."""

_alone = threading.Lock()
"""One choice at a time: each takes up to a second of a processor, and 30 MB."""

_Vectors = NDArray[np.float32]


def choose_photos(db: sqlite3.Connection, order: str, limit: int, network: Network | None) -> list[Result]:
    """Return up to limit unreviewed photos in the inbox, the most useful to review first.

    order: `doubt`, those first about whose label the model is least certain; `new`, those first whose labels were
    reviewed least; `spread`, those first that look least like all before and like those that were reviewed. network:
    the running model's, whose stored embeddings say what looks alike; without it, nothing does.
    """
    with _alone:
        return _choose(db, order, limit, network)


def _choose(db: sqlite3.Connection, order: str, limit: int, network: Network | None) -> list[Result]:
    candidates = list(iterate_unreviewed(db, _CANDIDATES))
    if order == "doubt":
        candidates.sort(key=_certainty)
    elif order == "new":
        candidates = _sort_by_newness(candidates, count_reviewed_labels(db))
    stored = {} if network is None else {
        found.photo_id: found.data for found in list_newest_embeddings(db, network.sha256, 2 * _CANDIDATES)
        if network.fits(found.data)
    }  # fmt: skip
    seen = [number for number, result in enumerate(candidates) if result["id"] in stored]
    if network is None or not seen:
        return candidates[:limit]
    vectors = _read_vectors(network, [stored[candidates[number]["id"]] for number in seen])
    reviewed = list(filter(network.fits, list_reviewed_embeddings(db, network.sha256, _REVIEWED)))
    likeness = _likeness(vectors, _read_vectors(network, reviewed))
    compared = min(limit, _COMPARED)
    if order == "spread":
        chosen = [seen[number] for number in _spread(vectors, likeness, compared)]
    else:
        place = {number: at for at, number in enumerate(seen)}
        chosen = _pass_over_lookalikes(len(candidates), place, vectors, likeness, compared)
    taken = set(chosen)
    rest = (number for number in range(len(candidates)) if number not in taken)
    return [candidates[number] for number in [*chosen, *rest][:limit]]


def _certainty(result: Result) -> tuple[float, float]:
    """How certain a model is of its answer: by how far the best label is ahead of the second, then by its score."""
    best, *others = result["scores"].values()
    return (best - others[0] if others else best), best


def _sort_by_newness(results: Sequence[Result], reviewed: dict[str, int]) -> list[Result]:
    """Sort photos, newest first, so that labels are reviewed equally often: one counts for each photo before, too."""
    counts = Counter(reviewed)
    turns = list[int]()
    for result in results:
        turns.append(counts[result["label"]])
        counts[result["label"]] += 1
    return [result for _, _, result in sorted(zip(turns, range(len(results)), results, strict=True), key=_first_two)]


def _first_two(entry: tuple[int, int, Result]) -> tuple[int, int]:
    return entry[:2]


def _read_vectors(network: Network, raw: Sequence[bytes]) -> _Vectors:
    """Return embeddings as vectors of length 1 [photos, width]."""
    whole = network.read_embeddings(raw) if raw else np.zeros((0, network.width), np.float32)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    return np.asarray(whole / np.maximum(lengths, np.float32(1e-9)), np.float32)


def _likeness(vectors: _Vectors, others: _Vectors) -> _Vectors:
    """Return for each vector the largest cosine with one of others [photos]; -1 where there are none."""
    if not len(others):
        return np.full(len(vectors), -1, np.float32)
    return np.asarray((vectors @ others.T).max(axis=1), np.float32)


def _spread(vectors: _Vectors, likeness: _Vectors, limit: int) -> list[int]:
    """Return numbers of vectors, each the one that is least like those before; likeness: with what was reviewed.

    Farthest-first traversal: https://en.wikipedia.org/wiki/Farthest-first_traversal
    """
    likeness = likeness.copy()
    chosen = list[int]()
    for _ in range(min(limit, len(vectors))):
        number = int(np.argmin(likeness))  # the first, hence the newest, of several
        chosen.append(number)
        np.maximum(likeness, vectors @ vectors[number], out=likeness)
        likeness[number] = 2  # more than any cosine
    return chosen


def _pass_over_lookalikes(
    count: int, place: dict[int, int], vectors: _Vectors, likeness: _Vectors, limit: int
) -> list[int]:
    """Return up to limit of the first numbers of count photos, without those that look like one before.

    place: of the vectors of photos, by their numbers; photos without one look like none.
    """
    likeness = likeness.copy()
    chosen = list[int]()
    for number in range(count):
        if len(chosen) == limit:
            break
        at = place.get(number)
        if at is not None:
            if likeness[at] > _SAME_LOOK:
                continue
            np.maximum(likeness, vectors @ vectors[at], out=likeness)
        chosen.append(number)
    return chosen
