import re
from pathlib import Path

import numpy as np
import pytest

from dogid.dataset.group_pattern import extract_group
from dogid.dataset.labelled_photos import find_photos
from dogid.errors import DogidError
from dogid_convert.training.splits import is_for_validation, is_held_out, select_held_out
from tests.convert.training_material import make_folder


def test_held_out_split_depends_on_content_only(tmp_path: Path) -> None:
    first = find_photos(make_folder(tmp_path / "a", photos=20))
    make_folder(tmp_path / "b", photos=40)
    for path in sorted((tmp_path / "b" / "red").iterdir()):
        path.rename(path.with_name(f"renamed-{path.name}"))
    second = find_photos(tmp_path / "b")

    held_first = {photo.sha256 for photo in first.photos if is_held_out(photo.sha256)}
    held_second = {photo.sha256 for photo in second.photos if is_held_out(photo.sha256)}

    assert held_first == held_second & {photo.sha256 for photo in first.photos}


def test_held_out_and_validation_do_not_overlap() -> None:
    photos = [f"{i * 2654435761 % 2**32:08x}" for i in range(10_000)]
    both = [is_held_out(photo) and is_for_validation(photo) for photo in photos]

    assert not any(both)
    assert 0.08 < sum(map(is_for_validation, photos)) / len(photos) < 0.12


def test_about_a_tenth_is_held_out() -> None:
    share = sum(is_held_out(f"{i * 2654435761 % 2**32:08x}") for i in range(10_000)) / 10_000

    assert 0.08 < share < 0.12


@pytest.mark.parametrize(
    ("pattern", "group"), [("[^_]+", "asirra200"), ("(asirra|[^_]+)", "asirra"), ("dog(s)?", ""), ("nothing", "")]
)
def test_group_is_the_match_at_the_start(pattern: str, group: str) -> None:
    assert extract_group("asirra200__dog.1.jpg", re.compile(pattern)) == group


def select(root: Path) -> tuple[list[str], list[int]]:
    """Return the files held out of the photos in root, and how many of each label."""
    dataset = find_photos(root)
    labels = np.array([photo.label for photo in dataset.photos])
    held = select_held_out(labels, dataset, lambda _: None)
    files = [str(photo.path.relative_to(root)) for photo, out in zip(dataset.photos, held, strict=True) if out]
    return files, np.bincount(labels[held], minlength=len(dataset.labels)).tolist()


def test_every_label_has_photos_held_out(tmp_path: Path) -> None:
    labels = tuple("x" * length for length in range(1, 9))

    assert min(select(make_folder(tmp_path, labels, photos=2))[1]) == 1


def test_photos_to_judge_with_are_held_out(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", photos=6)
    make_folder(tmp_path / "test", photos=2, first=20)

    files, per_label = select(tmp_path)

    assert per_label == [2, 2]
    assert all(file.startswith("test/") for file in files)


def test_label_with_photos_to_judge_with_only_is_an_error(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", photos=2)
    make_folder(tmp_path / "test", ("red", "redder"), photos=2, first=20)

    with pytest.raises(DogidError, match="no photo to train on of redder"):
        select(tmp_path)
