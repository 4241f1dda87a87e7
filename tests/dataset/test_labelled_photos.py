import hashlib
import tracemalloc
from pathlib import Path

import pytest

from dogid.dataset.labelled_photos import find_photos
from dogid.errors import DogidError, UsageError
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


def test_licence_in_each_folder_is_no_conflict(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    for label in ("blue", "red"):
        (tmp_path / label / "LICENCE.txt").write_text("as you like")

    assert len(find_photos(tmp_path).files) == 6


def test_unlabelled_files_are_counted(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    (tmp_path / "lost.jpg").write_bytes(b"x")
    (tmp_path / "manifest-0001.json").write_text("an export's own")

    assert find_photos(tmp_path).unlabelled_files == 1


def copy_under_two_labels(root: Path, photos: int) -> list[Path]:
    for number in range(photos):
        photo = root / "blue" / f"cam{number % 3}__{number:03}.jpg"
        (root / "red" / f"copy{number}.jpg").write_bytes(photo.read_bytes())
    return [root / "blue" / "cam0__000.jpg", root / "red" / "copy0.jpg"]


def test_photo_under_two_labels_is_left_out(tmp_path: Path) -> None:
    both = copy_under_two_labels(make_folder(tmp_path, photos=4), 1)

    found = find_photos(tmp_path)

    assert [[file.path for file in conflict.files] for conflict in found.conflicts] == [both]
    assert found.counts() == {"blue": 3, "red": 4}


def test_many_photos_under_two_labels_are_refused(tmp_path: Path) -> None:
    both = copy_under_two_labels(make_folder(tmp_path, photos=4), 3)

    with pytest.raises(DogidError, match=r"^3 of 8 photos in .* are under two labels, more than 25%") as error:
        find_photos(tmp_path)

    assert all(str(path) in str(error.value) for path in both)


@pytest.mark.parametrize(
    "names", [("train", "test"), ("train", "val"), ("Train", "valid", "TEST"), ("training", "validation")]
)
def test_photos_in_test_folder_are_for_judging(tmp_path: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        make_folder(tmp_path / name, photos=2, first=10 * number)

    found = find_photos(tmp_path)

    assert found.labels == ("blue", "red")
    assert found.counts() == {"blue": 2 * len(names), "red": 2 * len(names)}
    assert {photo.path.parts[-3] for photo in found.photos if photo.for_judging} == set(names[1:])


def test_photo_in_train_and_test_is_trained_on(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", photos=2)
    make_folder(tmp_path / "test", photos=3)

    found = find_photos(tmp_path)

    assert found.counts() == {"blue": 3, "red": 3}
    assert sum(photo.for_judging for photo in found.photos) == 2


def test_label_called_train_stays_a_label(tmp_path: Path) -> None:
    found = find_photos(make_folder(tmp_path, ("test", "train"), photos=2))

    assert found.labels == ("test", "train")
    assert not found.is_divided


def test_blanks_around_folder_names_are_no_part_of_the_label(tmp_path: Path) -> None:
    make_folder(tmp_path, ("red", "blue "), photos=2)
    make_folder(tmp_path, (" blue",), photos=1, first=10)

    found = find_photos(tmp_path)

    assert found.labels == ("blue", "red")
    assert found.counts() == {"blue": 3, "red": 2}


@pytest.mark.parametrize("name", ["two\nlines", " ", "tab\there"])
def test_label_must_be_one_line_of_text(tmp_path: Path, name: str) -> None:
    make_folder(tmp_path, photos=1)
    (tmp_path / name).mkdir()
    with pytest.raises(UsageError, match="cannot be a label"):
        find_photos(tmp_path)


def test_large_files_are_left_out_before_they_are_read(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=2)
    clip = tmp_path / "red" / "clip.mp4"
    with clip.open("wb") as file:
        file.truncate(1 << 40)  # of zeros: reading it would take minutes
    found = find_photos(tmp_path, max_bytes=1 << 20)
    assert found.unreadable == ((clip, "too_large: more than 1048576 bytes (--max-bytes)"),)
    assert found.counts()["red"] == 2


def test_files_are_hashed_in_pieces(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=1)
    with (tmp_path / "red" / "scan.tif").open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    try:
        found = find_photos(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    (scan,) = (file for file in found.files if file.path.name == "scan.tif")
    assert (scan.size, scan.sha256) == (32 << 20, hashlib.sha256(bytes(32 << 20)).hexdigest())


def test_loose_photos_beside_a_divided_train_are_refused(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", ("cat", "dog"), photos=2)
    make_folder(tmp_path, ("test",), photos=2, first=10)

    with pytest.raises(UsageError, match=r"divided into test, train, and .*test does not fit: photos lie directly in"):
        find_photos(tmp_path)


def test_label_file_names_what_a_folder_cannot(tmp_path: Path) -> None:
    for first, folder in enumerate(("a", "b", "dog")):
        make_folder(tmp_path, (folder,), photos=1, first=first)
    (tmp_path / "a" / ".label").write_text("dog/cat\n")
    (tmp_path / "b" / ".label").write_text("dog")

    assert find_photos(tmp_path).counts() == {"dog": 2, "dog/cat": 1}


@pytest.mark.parametrize("content", [b"", b"two\nlines", b"\xff"])
def test_label_file_without_a_label_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    make_folder(tmp_path, photos=1)
    (tmp_path / "red" / ".label").write_bytes(content)

    with pytest.raises(UsageError, match=r"red/\.label"):
        find_photos(tmp_path)
