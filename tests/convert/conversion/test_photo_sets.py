from pathlib import Path

from dogid_convert.conversion.photo_sets import read_folder
from tests.convert.training_material import make_folder


def test_divided_data_set_judges_with_its_own_photos(tmp_path: Path) -> None:
    make_folder(tmp_path / "train", photos=3)
    make_folder(tmp_path / "test", photos=2, first=10)

    to_calibrate, to_judge = read_folder(tmp_path), read_folder(tmp_path, for_judging=True)

    assert {photo.path.parts[-3] for photo in to_calibrate.photos} == {"train"}
    assert {photo.path.parts[-3] for photo in to_judge.photos} == {"test"}
    assert to_judge.labels == ("blue", "red")


def test_photo_under_two_labels_is_named(tmp_path: Path) -> None:
    make_folder(tmp_path, photos=4)
    (tmp_path / "red" / "copy.jpg").write_bytes((tmp_path / "blue" / "cam0__000.jpg").read_bytes())

    found = read_folder(tmp_path)

    assert len(found.photos) == 7
    assert found.unreadable[0][0] == tmp_path / "blue" / "cam0__000.jpg"
    assert "red/copy.jpg" in found.unreadable[0][1]
