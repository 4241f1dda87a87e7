"""Photos that people labelled become folders to train on; each export has a manifest that is never changed."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dogid.cli import main
from dogid.ledger.review_writer import say_label, say_verdict
from dogid_convert.data import manifest
from tests.ledger.ledger_folder import Inbox, add_classified, moved
from tests.support.photos import put


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
    return {path.read_text(): path.parent.name for path in folder.glob("*/*")}


def test_export_has_labels_answers_and_what_is_gone(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert len(export(reviewed, out, capsys, status=1)["removed"]) == 1
    assert exported(out) == {"b.jpg": "cat", "added by hand": "wolf"}


def test_exported_files_can_be_links(reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export(reviewed, tmp_path / "out", capsys, "--hardlink", status=1)

    (linked,) = (tmp_path / "out" / "wolf").iterdir()
    assert linked.samefile(reviewed.folder / "cam" / "a.jpg")


@pytest.mark.parametrize(
    "label", ["../../x", ".hidden", "a/b", "\N{ZERO WIDTH JOINER}x", "x" * 200, "ü" * 200, "犬", "%2F", ".."]
)
def test_any_label_becomes_a_folder_inside(
    reviewed: Inbox, tmp_path: Path, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reviewed.ledger.review([1], say_label(label, "anna"))
    export(reviewed, tmp_path / "out", capsys, status=1)

    content = sha256(b"cam/a.jpg").hexdigest()
    found = manifest.read(tmp_path / "out" / "manifest-0001.json").entries
    assert [entry.label for entry in found if entry.sha256 == content] == [label]
    assert set(exported(tmp_path / "out")) == {"cam/a.jpg", "b.jpg"}
    assert len(manifest.load(tmp_path / "out").counts()) == 2


def test_changed_photo_is_not_exported_under_its_former_label(
    reviewed: Inbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(reviewed.folder / "b.jpg", b"another")

    assert len(export(reviewed, tmp_path / "out", capsys, status=1)["left_out"]) == 2
    assert main(["data", "export", str(reviewed.folder / "out"), "--inbox", str(reviewed.folder), "--state",
                 str(reviewed.state)]) == 2  # fmt: skip
    assert "lies in the inbox" in capsys.readouterr().err
