"""`dogid sort` into a folder that has photos: other kinds, twins, and photos whose originals are gone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dogid.ledger.review_writer import say_label
from dogid.sorting.manifest import Manifest
from tests.ledger.ledger_folder import Inbox
from tests.sorting.sorted_photos import classify, contents, sort


def test_copy_that_the_original_became_a_link_to_is_kept(inbox: Inbox, tmp_path: Path) -> None:
    classify(inbox, "1.jpg")
    assert sort(inbox, "--to", tmp_path / "sorted") == 0
    (inbox.folder / "1.jpg").unlink()
    (inbox.folder / "1.jpg").symlink_to(tmp_path / "sorted/pug/1.jpg")

    assert sort(inbox, "--undo", tmp_path / "sorted") == 1
    assert (inbox.folder / "1.jpg").read_text() == "1.jpg"


def test_other_kind_replaces_what_is_there_and_nothing_else(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("1.jpg", "moved.jpg"):
        number = classify(inbox, name)
    target = tmp_path / "sorted"
    looks: list[set[str]] = []
    for kind in ("symlink", "hardlink", "copy", "hardlink", "symlink", None):
        if kind == "copy":
            inbox.ledger.review([number], say_label("wolf", "anna"))
        for flags in (("--dry-run",), (), ()):
            assert sort(inbox, "--to", target, "--json", *flags, *([f"--{kind}"] if kind else [])) == 0
        found = (target / "pug/1.jpg", target / ("wolf" if len(looks) > 1 else "pug") / "moved.jpg")
        looks.append({"symlink" if path.is_symlink() else str(path.stat().st_nlink) for path in found})
        assert [path.read_text() for path in found] == ["1.jpg", "moved.jpg"]
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert looks == [{"symlink"}, {"2"}, {"1"}, {"2"}, {"symlink"}, {"symlink"}]
    assert [report["replaced"] for report in reports] == [0, 0, 0, *(2, 2, 0) * 4, 0, 0, 0]
    assert len(list(target.rglob("*.*"))) == 4
    (target / "pug/1.jpg").unlink()
    (target / "pug/1.jpg").write_text("cropped")
    assert sort(inbox, "--to", target, "--copy") == 1
    assert (target / "pug/1.jpg").read_text() == "cropped"


def test_one_file_of_a_content_says_where_it_lies(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sorted"
    classify(inbox, "gone.jpg", content="twin")
    classify(inbox, "here.jpg", "cat", content="twin")
    (inbox.folder / "gone.jpg").unlink()
    assert sort(inbox, "--to", target) == 1
    assert contents(target) == {"cat/here.jpg": "twin"}
    (inbox.folder / "gone.jpg").write_text("twin")
    capsys.readouterr()
    assert sort(inbox, "--to", target, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["moved"], report["already"]) == (0, 2)
    (inbox.folder / "here.jpg").unlink()
    for _ in range(2):
        assert sort(inbox, "--to", target) == 0
    assert set(contents(target)) == {"pug/gone.jpg"}


def test_correction_moves_the_copy_of_a_photo_that_has_left(inbox: Inbox, tmp_path: Path) -> None:
    number = classify(inbox, "1.jpg")
    assert sort(inbox, "--to", tmp_path / "sorted") == 0
    (inbox.folder / "1.jpg").unlink()
    inbox.ledger.note_left([b"1.jpg"])
    inbox.ledger.review([number], say_label("wolf", "anna"))

    assert sort(inbox, "--to", tmp_path / "sorted") == 0
    assert contents(tmp_path / "sorted") == {"wolf/1.jpg": "1.jpg"}


def test_kill_while_a_kind_is_replaced_is_found_out(inbox: Inbox, tmp_path: Path) -> None:
    target = tmp_path / "sorted"
    for name in ("1.jpg", "2.jpg"):
        classify(inbox, name)
    assert sort(inbox, "--to", target) == 0
    (target / "pug/2.jpg").unlink()
    (target / "pug/2.jpg").hardlink_to(inbox.folder / "2.jpg")  # one was replaced, and one not yet
    (inbox.folder / "1.jpg").unlink()
    manifest = Manifest(target)
    for photo in list(manifest.iterate()):
        manifest.write(replace(photo, kind="hardlink", placed=False, former=photo.path))
    manifest.commit()
    manifest.close()

    assert sort(inbox, "--to", target, "--hardlink") == 1
    assert [(target / "pug" / name).lstat().st_nlink for name in ("1.jpg", "2.jpg")] == [1, 2]
    assert sort(inbox, "--undo", target) == 1
    assert contents(target) == {"pug/1.jpg": "1.jpg"}
