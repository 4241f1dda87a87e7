"""Photos that people labelled become folders to train on; each export has a manifest that is never changed."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest

from dogid.cli import main
from dogid.dataset.label_folders import find_label_folders
from dogid.ledger.review_writer import say_label, say_verdict
from dogid_convert.data import manifest
from dogid_convert.data.export import export_reviewed
from tests.ledger.ledger_folder import Inbox, add_classified, moved
from tests.support.photos import put

_Item = TypeVar("_Item")


@pytest.fixture
def reviewed(tmp_path: Path) -> Inbox:
    """An inbox with photos that were labelled, confirmed, unsure and not reviewed."""
    inbox = Inbox(tmp_path)
    words = {
        "cam/a.jpg": say_label("wolf", "anna"), "b.jpg": say_verdict("confirmed", "ben"),
        "c.jpg": say_verdict("unsure", "ben"), "d.jpg": None, "gone.jpg": say_label("fox", "anna"),
    }  # fmt: skip
    for name, word in words.items():
        (inbox.folder / name).parent.mkdir(exist_ok=True)
        photo_id = add_classified(inbox, name)
        if word is not None:
            inbox.ledger.review([photo_id], word)
    (inbox.folder / "gone.jpg").unlink()
    inbox.ledger.note_left([b"gone.jpg"])
    return inbox


def export(inbox: Inbox, folder: Path, capsys: pytest.CaptureFixture[str], *flags: str, status: int = 0) -> Any:
    where = ["--inbox", str(inbox.folder), "--state", str(inbox.state)]
    assert main(["data", "export", str(folder), *where, "--json", *flags]) == status
    return json.loads(capsys.readouterr().out)


def exported(folder: Path) -> dict[str, str]:
    """The label's folder of each exported photo, by its content."""
    return {path.read_text(): path.parent.name for path in folder.glob("[!.]*/[!.]*")}


def test_export_has_labels_answers_and_what_is_gone(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed.ledger.review_training_photos({"ab" * 32: "cat"}, say_label("wolf", "anna"))  # only a model has it
    done = export(reviewed, tmp_path / "out", capsys, status=1)

    assert exported(tmp_path / "out") == {"cam/a.jpg": "wolf", "b.jpg": "cat"}
    assert done["labels"] == {"cat": 1, "wolf": 1}
    assert done["corrected"] == 1
    assert [item["file"] for item in done["left_out"]] == ["gone.jpg"]
    assert "fox, by anna" in done["left_out"][0]["reason"]
    path = tmp_path / "out" / "manifest-0001.json"
    photos = {item["label"]: item for item in json.loads(path.read_text())["photos"]}
    assert photos["wolf"]["reviewed"]["by"] == "anna"
    assert photos["wolf"]["reviewed"]["guess"] == {"label": "cat", "score": 1.0, "model": "m.tflite"}
    assert photos["cat"]["reviewed"]["verdict"] == "confirmed"
    assert manifest.load(tmp_path / "out").version == done["version"]  # as `dogid train` finds the folders


def test_each_change_gets_a_manifest_of_its_own(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    export(reviewed, out, capsys, status=1)
    before = (out / "manifest-0001.json").read_bytes()
    assert not export(reviewed, out, capsys, status=1)["new"]

    put(out / "wolf" / "mine.jpg", b"added by hand")
    moved(reviewed, "b.jpg", "renamed.jpg")
    (reviewed.folder / "cam" / "a.jpg").unlink()
    reviewed.ledger.review([1], say_label("husky", "carl"))
    done = export(reviewed, out, capsys, status=1)

    assert done["manifest"].endswith("manifest-0002.json")
    assert exported(out) == {"cam/a.jpg": "husky", "b.jpg": "cat", "added by hand": "wolf"}
    assert (out / "manifest-0001.json").read_bytes() == before
    assert main(["data", "diff", str(out / "manifest-0001.json"), str(out / "manifest-0002.json")]) == 0
    assert "(by carl; guessed: cat)" in capsys.readouterr().out
    reviewed.ledger.review([1], say_verdict("withdrawn", "carl"))
    (withdrawn,) = export(reviewed, out, capsys, status=1)["withdrawn"]
    assert exported(out) == {"b.jpg": "cat", "added by hand": "wolf"}
    assert (out / withdrawn).read_text() == "cam/a.jpg"  # the last copy, which the inbox has not
    reviewed.ledger.review([2], say_verdict("unsure", "carl"))
    assert len(export(reviewed, out, capsys, status=1)["removed"]) == 1
    assert exported(out) == {"added by hand": "wolf"}
    reviewed.ledger.review([1], say_label("wolf", "carl"))
    export(reviewed, out, capsys, status=1)
    assert exported(out) == {"cam/a.jpg": "wolf", "added by hand": "wolf"}


def test_exported_files_can_be_links(reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(reviewed, tmp_path / "out", capsys, "--hardlink", status=1)

    (linked,) = (tmp_path / "out" / "wolf").iterdir()
    assert linked.samefile(reviewed.folder / "cam" / "a.jpg")


@pytest.mark.parametrize(
    "label",
    [
        "../../x",
        ".hidden",
        "a/b",
        "x" * 200,
        "ü" * 200,
        "犬",
        "100% dog",
        "..",
        "manifest-0001.json",
        "train",
    ],
)
def test_training_finds_any_label_again(
    reviewed: Inbox, tmp_path: Path, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed.ledger.review([1], say_label(label, "anna"))
    export(reviewed, tmp_path / "out", capsys, status=1)

    content = sha256(b"cam/a.jpg").hexdigest()
    found = manifest.read(tmp_path / "out" / "manifest-0001.json").entries
    assert [entry.label for entry in found if entry.sha256 == content] == [label]
    assert set(exported(tmp_path / "out")) == {"cam/a.jpg", "b.jpg"}
    found_labels = {folder.label for folder in find_label_folders(tmp_path / "out")}
    assert found_labels == {"cat", label if label.isprintable() else "%E2%80%8Dx"}


def test_labels_that_differ_in_capitals_have_folders_of_their_own(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """FAT, which memory cards have, takes Wolf and wolf for one folder."""
    out = tmp_path / "out"
    export(reviewed, out, capsys, status=1)
    reviewed.ledger.review([2], say_label("Wolf", "ben"))
    reviewed.ledger.review([4], say_label("WOLF", "ben"))
    done = export(reviewed, out, capsys, status=1)

    assert done["labels"] == {"WOLF": 1, "Wolf": 1, "wolf": 1}
    assert exported(out)["cam/a.jpg"] == "wolf"  # as before
    assert len({folder.lower() for folder in exported(out).values()}) == 3
    assert {folder.label for folder in find_label_folders(out)} == {"WOLF", "Wolf", "wolf"}
    assert not export(reviewed, out, capsys, status=1)["new"]


def test_changed_photo_is_not_exported_under_its_former_label(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(reviewed.folder / "b.jpg", b"another")

    assert len(export(reviewed, tmp_path / "out", capsys, status=1)["left_out"]) == 2


def test_folder_that_cannot_be_exported_to_is_named(reviewed: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    file = put(reviewed.folder.parent / "file", b"x")
    for folder, reason in [
        (reviewed.folder / "out", "lies in the inbox"),
        (reviewed.folder.parent, "the inbox lies in it"),
        (reviewed.state, f"{reviewed.state}: is where the daemon keeps its state"),
        (file, f"{file}: is a file; give a folder"),
        (Path("/sys/dogid"), "/sys/dogid: cannot be written"),
    ]:
        args = ["--inbox", str(reviewed.folder), "--state", str(reviewed.state)]
        assert main(["data", "export", str(folder), *args]) == 2
        assert reason in capsys.readouterr().err


def test_export_without_labels_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inbox = Inbox(tmp_path)
    where = ["--inbox", str(inbox.folder), "--state", str(inbox.state)]

    assert main(["data", "export", str(tmp_path / "out"), *where]) == 1
    assert "nothing to export. Label some: dogid label FILE" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("reviewed_by", [{"by": [], "at": {}}, "anna"])
def test_manifest_that_anybody_wrote_is_refused(
    reviewed: Inbox, tmp_path: Path, reviewed_by: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = manifest.ManifestEntry("cat/a.jpg", "cat", "00", 1, word=reviewed_by)
    put(tmp_path / "out" / "manifest-0001.json", manifest.as_json(manifest.Manifest((entry,))).encode())

    args = ["--inbox", str(reviewed.folder), "--state", str(reviewed.state)]
    assert main(["data", "export", str(tmp_path / "out"), *args]) == 2
    assert "in another ledger" in capsys.readouterr().err


def test_folder_of_other_photos_is_refused(reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = put(tmp_path / "out" / "wolf" / "mine.jpg", b"mine")

    args = ["--inbox", str(reviewed.folder), "--state", str(reviewed.state)]
    assert main(["data", "export", str(tmp_path / "out"), *args]) == 2
    assert "is not empty, and no earlier export" in capsys.readouterr().err
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [other]


def test_export_of_another_ledger_is_refused(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    export(reviewed, out, capsys, status=1)
    (tmp_path / "other").mkdir()
    other = Inbox(tmp_path / "other")
    other.ledger.review([add_classified(other, "x.jpg")], say_label("fox", "anna"))
    other_args = ["--inbox", str(other.folder), "--state", str(other.state)]

    assert main(["data", "export", str(out), *other_args]) == 2
    assert "in another ledger" in capsys.readouterr().err
    assert exported(out) == {"cam/a.jpg": "wolf", "b.jpg": "cat"}


@pytest.mark.parametrize(
    "name", ["../victim.jpg", "/victim.jpg", "wolf/../../victim.jpg", "../out/victim", "victim.jpg"]
)
def test_manifest_reaches_no_file_outside(
    reviewed: Inbox, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    export(reviewed, out, capsys, status=1)
    for folder in (tmp_path, out):
        put(folder / "victim.jpg", b"cam/a.jpg")
    path = out / "manifest-0001.json"
    photo = next(entry for entry in manifest.read(path).entries if entry.label == "wolf")
    path.chmod(0o644)
    path.write_text(manifest.as_json(manifest.Manifest((replace(photo, file=name),))))

    assert main(["data", "export", str(out), "--inbox", str(reviewed.folder), "--state", str(reviewed.state)]) == 2
    assert "which no export writes" in capsys.readouterr().err
    assert (tmp_path / "victim.jpg").exists()
    assert (out / "victim.jpg").exists()


def test_interrupted_export_leaves_no_wrong_label(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop_at_end(items: Sequence[_Item], what: str) -> Iterator[_Item]:  # noqa: ARG001
        yield from items
        raise KeyboardInterrupt

    out = tmp_path / "out"
    for label in ("wolf", "husky"):  # twice: the second knows what the first has written
        reviewed.ledger.review([1], say_label(label, "anna"))
        with pytest.raises(KeyboardInterrupt):
            export_reviewed(reviewed.db, reviewed.folder, reviewed.state, out, track=stop_at_end)
    reviewed.ledger.review([1], say_label("fox", "anna"))
    export(reviewed, out, capsys, status=1)

    assert sorted(path.parent.name for path in out.glob("[!.]*/*")) == ["cat", "fox"]
    assert sorted(path.name for path in out.iterdir()) == ["cat", "fox", "manifest-0001.json"]


def test_edited_photo_stays_and_is_named(reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    export(reviewed, out, capsys, status=1)
    (edited,) = (out / "wolf").iterdir()
    put(edited, b"cropped")

    for label in ("wolf", "husky", "husky"):
        reviewed.ledger.review([1], say_label(label, "anna"))
        done = export(reviewed, out, capsys, status=1)
        assert done["kept"] == [f"wolf/{edited.name}"]
        assert edited.read_text() == "cropped"
    assert exported(out) == {"cropped": "wolf", "cam/a.jpg": "husky", "b.jpg": "cat"}


def test_no_photo_is_written_through_a_link(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    export(reviewed, tmp_path / "out", capsys, status=1)
    shutil.rmtree(tmp_path / "out" / "wolf")
    (tmp_path / "out" / "wolf").symlink_to(tmp_path / "elsewhere")

    args = ["data", "export", str(tmp_path / "out"), "--inbox", str(reviewed.folder), "--state", str(reviewed.state)]
    assert main(args) == 1
    assert "wolf is a link or a file" in capsys.readouterr().err
    assert not list((tmp_path / "elsewhere").iterdir())


def test_labels_called_as_parts_of_data_sets_are_labels(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for photo_id, label in enumerate(("train", "test", "val"), 1):
        reviewed.ledger.review([photo_id], say_label(label, "anna"))
    export(reviewed, tmp_path / "out", capsys, status=1)

    folders = find_label_folders(tmp_path / "out")
    assert [(folder.label, folder.for_judging) for folder in folders] == [
        ("test", False), ("train", False), ("val", False)
    ]  # fmt: skip
