import re
from pathlib import Path

import pytest

from dogid.errors import DogidError, UsageError
from dogid_convert.data.dataset import find_photos
from dogid_convert.training.splits import extract_group, is_for_validation, is_held_out
from tests.convert.training_material import make_folder


def test_labels_are_the_sorted_sub_folders(tmp_path: Path) -> None:
    found = find_photos(make_folder(tmp_path, ("red", "blue"), photos=2))

    assert found.labels == ("blue", "red")
    assert found.counts() == {"blue": 2, "red": 2}


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.jpg"])
def test_files_of_file_managers_are_ignored(tmp_path: Path, name: str) -> None:
    make_folder(tmp_path, photos=2)
    (tmp_path / "red" / name).write_bytes(b"x")
    (tmp_path / ".cache").mkdir()

    found = find_photos(tmp_path)

    assert found.counts() == {"blue": 2, "red": 2}
    assert not found.unreadable


def test_photos_in_nested_folders_count(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    (tmp_path / "red" / "more").mkdir()
    (tmp_path / "red" / "cam0__000.jpg").rename(tmp_path / "red" / "more" / "a.jpg")

    assert find_photos(tmp_path).counts()["red"] == 2


def test_copies_of_a_photo_count_once(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    (tmp_path / "red" / "again.jpg").write_bytes((tmp_path / "red" / "cam0__000.jpg").read_bytes())

    found = find_photos(tmp_path)

    assert found.counts()["red"] == 2
    assert found.repeats == 1


def test_conflicting_labels_error_names_both_files(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    first, second = tmp_path / "blue" / "cam0__000.jpg", tmp_path / "red" / "copy.jpg"
    second.write_bytes(first.read_bytes())

    with pytest.raises(DogidError) as error:
        find_photos(tmp_path)

    assert str(first) in str(error.value)
    assert str(second) in str(error.value)


def test_empty_files_are_unreadable(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    for label in ("red", "blue"):
        (tmp_path / label / "empty.jpg").touch()

    assert len(find_photos(tmp_path).unreadable) == 2


def test_label_without_readable_photos_error_has_reason(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=1)
    (tmp_path / "green").mkdir()
    (tmp_path / "green" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"no photo in .*green.*gone\.jpg: No such file"):
        find_photos(tmp_path)


def test_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        find_photos(tmp_path / "none")


def test_file_instead_of_folder_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        find_photos(tmp_path / "file")


def test_folder_without_sub_folders_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sub-folders"):
        find_photos(tmp_path)


def test_one_label_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one label only"):
        find_photos(make_folder(tmp_path, ("red",), photos=1))


def test_empty_label_error_names_it(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=1)
    (tmp_path / "green").mkdir()
    with pytest.raises(UsageError, match="green"):
        find_photos(tmp_path)


@pytest.mark.parametrize("name", ["two\nlines", " space before", "tab\there"])
def test_label_must_be_one_line_of_text(tmp_path: Path, name: str) -> None:
    make_folder(tmp_path, photos=1)
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="cannot be a label"):
        find_photos(tmp_path)


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


def test_all_conflicting_labels_are_named(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=3)
    for number in range(2):
        photo = tmp_path / "blue" / f"cam{number}__00{number}.jpg"
        (tmp_path / "red" / f"copy{number}.jpg").write_bytes(photo.read_bytes())

    with pytest.raises(DogidError, match=r"copy0\.jpg.*copy1\.jpg"):
        find_photos(tmp_path)


def test_licence_in_each_folder_is_no_conflict(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    for label in ("blue", "red"):
        (tmp_path / label / "LICENCE.txt").write_text("as you like")

    assert len(find_photos(tmp_path).files) == 6


def test_unlabelled_files_are_counted(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    (tmp_path / "lost.jpg").write_bytes(b"x")

    assert find_photos(tmp_path).unlabelled_files == 1


def test_about_a_tenth_is_held_out() -> None:
    share = sum(is_held_out(f"{i * 2654435761 % 2**32:08x}") for i in range(10_000)) / 10_000

    assert 0.08 < share < 0.12


@pytest.mark.parametrize(
    ("pattern", "group"), [("[^_]+", "asirra200"), ("(asirra|[^_]+)", "asirra"), ("dog(s)?", ""), ("nothing", "")]
)
def test_group_is_the_match_at_the_start(pattern: str, group: str) -> None:
    assert extract_group("asirra200__dog.1.jpg", re.compile(pattern)) == group
