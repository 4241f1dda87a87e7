import tracemalloc
from pathlib import Path

import numpy as np

from dogid.dataset.labelled_photos import find_photos
from dogid_convert.training.near_duplicates import count_known, describe_clusters, find_near_duplicates
from tests.convert.training_material import make_folder


def test_chain_of_near_duplicates_is_one_cluster() -> None:
    rng = np.random.default_rng(0)
    others = rng.normal(0, 1, (1500, 50))
    step = 0.3 * rng.normal(0, 1, (2, 50))
    burst = [others[7] + step[0], others[7] + step[0] + step[1]]
    clusters = find_near_duplicates(np.concatenate([others, burst]).astype(np.float32))

    assert clusters[7] == clusters[1500] == clusters[1501]
    assert len(np.unique(clusters)) == 1500


def test_features_without_variation_do_not_matter() -> None:
    embeddings = np.random.default_rng(0).normal(0, 1, (30, 50)).astype(np.float32)
    embeddings[:, 10:] = 3.0

    assert len(np.unique(find_near_duplicates(embeddings))) > 25
    assert len(np.unique(find_near_duplicates(np.ones((4, 8), np.float32)))) == 4


def test_near_duplicates_under_two_labels_are_named(tmp_path: Path) -> None:
    dataset = find_photos(make_folder(tmp_path, photos=3))

    found = describe_clusters(dataset, np.array([0, 0, 1, 2, 1, 3]))

    assert found.photos == 4
    assert found.across_labels == (("blue/cam2__002.jpg", "red/cam1__001.jpg"),)


def test_held_out_photos_with_a_near_duplicate_are_counted() -> None:
    held_out = np.array([True, False, True, True, False])

    assert count_known(np.array([0, 0, 1, 2, 2]), held_out) == 2


def test_memory_does_not_grow_with_pairs_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    scenes = np.where(np.arange(3000) % 2, 1, -1)[:, None] * rng.normal(0, 1, 16) + 0.01 * rng.normal(0, 1, (3000, 16))
    tracemalloc.start()
    try:
        clusters = find_near_duplicates(scenes.astype(np.float32))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert np.bincount(clusters).tolist() == [1500, 1500]
    assert peak < 40e6  # all pairs at once: 150 MB and more
