import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dogid.cli import main
from dogid_convert.data import manifest
from tests.support.daemon import environment
from tests.support.photos import put_all

OLD = {"cat/1.jpg": b"one", "cat/2.jpg": b"two", "dog/3.jpg": b"three", "dog/4.jpg": b"four"}


def difference(tmp_path: Path, new: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the output of `dogid data diff --json` for OLD and new."""
    old_folder, new_folder = put_all(tmp_path / "old", OLD), put_all(tmp_path / "new", new)
    assert main(["data", "diff", str(old_folder), str(new_folder), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def files(items: list[dict[str, Any]]) -> list[str]:
    return [item["file"] for item in items]


def moves(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(item["old"]["file"], item["new"]["file"]) for item in items]


def test_same_photos_are_no_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = difference(tmp_path, OLD, capsys)

    assert found["same"] is True
    assert found["unchanged"] == 4
    assert found["old"]["version"] == found["new"]["version"]


@pytest.mark.parametrize(
    ("new", "kind", "expected"),
    [
        (OLD | {"cat/5.jpg": b"five"}, "added", ["cat/5.jpg"]),
        ({k: v for k, v in OLD.items() if k != "dog/3.jpg"}, "removed", ["dog/3.jpg"]),
    ],
)
def test_added_and_removed_photos_are_named(
    tmp_path: Path, new: dict[str, bytes], kind: str, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = difference(tmp_path, new, capsys)

    assert files(found[kind]) == expected
    assert not any(found[other] for other in {"added", "removed", "relabelled", "renamed", "changed"} - {kind})
    assert found["same"] is False


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("dog/1.jpg", b"one", "relabelled"),
        ("dog/other-name.jpg", b"one", "relabelled"),
        ("cat/other-name.jpg", b"one", "renamed"),
        ("cat/1.jpg", b"edited", "changed"),
    ],
)
def test_moved_photo_is_reported_with_both_names(
    tmp_path: Path, name: str, content: bytes, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new = {k: v for k, v in OLD.items() if k != "cat/1.jpg"} | {name: content}

    found = difference(tmp_path, new, capsys)

    assert moves(found[kind]) == [("cat/1.jpg", name)]
    assert not any(found[other] for other in {"added", "removed", "relabelled", "renamed", "changed"} - {kind})


def test_copies_are_paired_with_the_most_similar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two files of one content: one stays, the copy changes its name."""
    copies = {"cat/1.jpg": b"same", "cat/2.jpg": b"same"}
    old, new = put_all(tmp_path / "o", copies), put_all(tmp_path / "n", {"cat/1.jpg": b"same", "cat/9.jpg": b"same"})

    main(["data", "diff", str(old), str(new), "--json"])

    assert moves(json.loads(capsys.readouterr().out)["renamed"]) == [("cat/2.jpg", "cat/9.jpg")]


def test_conflicting_labels_are_reported_for_their_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = difference(tmp_path, OLD | {"dog/copy.jpg": b"one"}, capsys)

    assert found["two_labels"]["old"] == []
    assert found["two_labels"]["new"][0]["files"] == ["cat/1.jpg", "dog/copy.jpg"]


def test_labels_are_counted_on_both_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = difference(tmp_path, {"cat/1.jpg": b"one", "pony/5.jpg": b"five"}, capsys)

    assert found["labels"] == {
        "cat": {"old": 2, "new": 1},
        "dog": {"old": 2, "new": 0},
        "pony": {"old": 0, "new": 1},
    }


def test_file_undecodable_on_one_side_is_not_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = put_all(tmp_path / "photos", OLD)
    known = manifest.load(folder)
    path = tmp_path / "manifest.json"
    marked = [manifest.ManifestEntry(e.file, e.label, e.sha256, e.size, "corrupt: no") for e in known.entries[:1]]
    path.write_text(manifest.as_json(manifest.Manifest((*marked, *known.entries[1:]))))

    main(["data", "diff", str(path), str(folder), "--json"])

    found = json.loads(capsys.readouterr().out)
    assert found["same"] is True
    assert found["labels"]["cat"] == {"old": 1, "new": 1}
    assert found["old"]["unreadable"][0]["error"] == "corrupt: no"


def test_text_has_a_table_and_short_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = {f"cat/new{number:03}.jpg": bytes([number]) for number in range(50)}
    old, new = put_all(tmp_path / "old", OLD), put_all(tmp_path / "new", OLD | many)

    assert main(["data", "diff", str(old), str(new)]) == 0

    output = capsys.readouterr().out
    assert "50 added" in output
    assert "... and 30 more" in output
    assert "+50" in output
    assert "4 unchanged" in output


def test_bad_input_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = put_all(tmp_path / "old", OLD)
    loose = put_all(tmp_path / "loose", {"1.jpg": b"one"})
    for bad, reason in ((tmp_path / "none", "does not exist"), (loose, "no sub-folders, only 1 file")):
        assert main(["data", "diff", str(good), str(bad)]) == 2
        message = capsys.readouterr().err
        assert str(bad) in message
        assert reason in message


def test_data_diff_imports_no_training_packages(tmp_path: Path) -> None:
    folder = str(put_all(tmp_path / "old", OLD))
    code = (
        "import sys, dogid.cli; dogid.cli.main(['data', 'diff', *sys.argv[1:]]); "
        "print(*sorted(set(sys.modules) & {'tensorflow', 'keras', 'sklearn', 'numpy', 'matplotlib'}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder, folder], capture_output=True, text=True, check=True, env=environment()
    )
    assert "no difference" in done.stdout
    assert done.stderr.strip() == ""
