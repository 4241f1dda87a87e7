"""Clusters of near-duplicates: chains are one, also over parts and blocks; twins are those with another label."""

import numpy as np
from numpy.typing import NDArray

from dogid.learning.clusters import find_clusters
from dogid.learning.contradictions import find_twins


def turn(degrees: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return embeddings [photos, 2] at angles; those within 11 degrees are near-duplicates."""
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1).astype(np.float32)


def test_chains_are_one_cluster_over_parts_and_blocks() -> None:
    first, second = turn(np.array([0.0, 50.0, 90.0])), turn(np.r_[10.0, 20.0, np.full(1200, 51.0), 150.0]) * 7
    clusters = find_clusters([first, second])

    assert clusters[0] == clusters[3] == clusters[4]
    assert set(clusters[[1, *range(5, 1205)]].tolist()) == {clusters[1]}
    assert len(np.unique(clusters)) == 4


def test_photos_of_one_folder_within_a_minute_are_one_cluster() -> None:
    embeddings = turn(np.array([0.0, 40.0, 80.0, 120.0, 160.0]))
    clusters = find_clusters([embeddings[:1], embeddings[1:]], ["a", "a", "a", "b"], [0.0, 50.0, 200.0, 50.0])

    assert clusters[1] == clusters[2]
    assert len(np.unique(clusters)) == 4


def test_twins_are_near_duplicates_with_another_label() -> None:
    photos, labels = turn(np.array([0.0, 5.0, 90.0, 95.0, 180.0])), np.array([0, 1, 0, 0, 1])

    assert find_twins(photos, labels, photos, labels).tolist() == [1, 0, -1, -1, -1]
    assert find_twins(photos, labels, photos[:0], labels[:0]).tolist() == [-1] * 5
