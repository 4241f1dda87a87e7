"""`dogid sort` into a folder where a run was ended between a plan and its note: each photo is there once."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from dogid.ledger.review_writer import say_label
from dogid.sorting.manifest import Manifest
from tests.ledger.ledger_folder import Inbox
from tests.sorting.sorted_photos import classify, contents, sort

OWN = "somebody's own"
OTHER_NAME = f"1-{sha256(b'1.jpg').hexdigest()[:10]}.jpg"


def unsettle(target: Path, path: str = "pug/1.jpg", former: str | None = None) -> None:
    """Have the manifest as a run leaves it that ends after its plan."""
    manifest = Manifest(target)
    (photo,) = manifest.iterate()
    if manifest.find_folder("wolf") is None:
        manifest.write_folder("wolf", "wolf", "wolf", made=True)
    manifest.write(replace(photo, path=path, placed=False, former=former))
    manifest.commit()
    manifest.close()


@pytest.mark.parametrize("there", ["before", "both", "after", "neither", "others"])
def test_interrupted_move_is_finished(inbox: Inbox, tmp_path: Path, there: str) -> None:
    target = tmp_path / "sorted"
    number = classify(inbox, "1.jpg")
    assert sort(inbox, "--to", target) == 0
    inbox.ledger.review([number], say_label("wolf", "anna"))
    unsettle(target, "wolf/1.jpg", former="pug/1.jpg")
    old, new = target / "pug/1.jpg", target / "wolf/1.jpg"
    new.parent.mkdir()
    if there in ("both", "after"):
        new.hardlink_to(old)
    if there in ("after", "neither"):
        old.unlink()
    if there == "others":
        new.write_text(OWN)
    assert sort(inbox, "--to", target) == 0

    left = {"wolf/1.jpg": OWN} if there == "others" else {}
    placed = f"wolf/{OTHER_NAME}" if there == "others" else "wolf/1.jpg"
    assert contents(target) == left | {placed: "1.jpg"}
    assert sort(inbox, "--undo", target) == 0
    assert contents(target) == left


@pytest.mark.parametrize("kind", ["copy", "symlink"])
@pytest.mark.parametrize(("there", "placed"), [("whole", 0), ("missing", 1), ("others", 1)])
def test_interrupted_placing_is_found_out(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str], there: str, placed: int, kind: str
) -> None:
    target = tmp_path / "sorted"
    classify(inbox, "1.jpg")
    assert sort(inbox, "--to", target, f"--{kind}") == 0
    unsettle(target)
    if there != "whole":
        (target / "pug/1.jpg").unlink()
    if there == "others":
        (target / "pug/1.jpg").write_text(OWN)
    capsys.readouterr()
    assert sort(inbox, "--to", target, f"--{kind}", "--json") == 0

    report = json.loads(capsys.readouterr().out)
    assert (report["placed"], report["already"]) == (placed, 1 - placed)
    left = {"pug/1.jpg": OWN} if there == "others" else {}
    assert contents(target) == left | {f"pug/{OTHER_NAME if left else '1.jpg'}": "1.jpg"}
    assert sort(inbox, "--undo", target) == 0
    assert contents(target) == left


def test_interrupted_replacement_is_found_out(inbox: Inbox, tmp_path: Path) -> None:
    target = tmp_path / "sorted"
    classify(inbox, "1.jpg")
    assert sort(inbox, "--to", target) == 0
    placed = target / "pug/1.jpg"
    unsettle(target, former="pug/1.jpg")
    placed.unlink()
    assert sort(inbox, "--to", target) == 0
    assert placed.read_text() == "1.jpg"
    unsettle(target, former="pug/1.jpg")
    placed.unlink()
    placed.symlink_to(inbox.folder / "1.jpg")
    assert sort(inbox, "--to", target) == 0

    assert placed.is_symlink()
    assert sort(inbox, "--undo", target) == 0
    assert not target.exists()


def test_folder_that_cannot_be_looked_into_is_named(
    inbox: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "sorted"
    classify(inbox, "1.jpg")
    assert sort(inbox, "--to", target) == 0
    unsettle(target)
    (target / "pug").rename(target / "moved")
    (target / "pug").symlink_to("pug")
    assert sort(inbox, "--to", target) == 1
    assert "Too many levels of symbolic links: what was done is kept" in capsys.readouterr().err
    (target / "pug").unlink()
    (target / "moved").rename(target / "pug")

    assert sort(inbox, "--undo", target) == 0
    assert not target.exists()


def test_only_unfinished_files_of_dogid_are_removed(inbox: Inbox, tmp_path: Path) -> None:
    target = tmp_path / "sorted"
    target.mkdir()
    for name in (".dogid-sort-0123456789abcdef.part", ".dogid-sort-note.txt", "film.part"):
        (target / name).write_text("half")
    assert sort(inbox, "--to", target) == 0

    assert {path.name for path in target.iterdir() if path.read_bytes() == b"half"} == {
        ".dogid-sort-note.txt", "film.part",
    }  # fmt: skip
