import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from dogid.errors import UsageError
from dogid_convert.data import manifest
from tests.support.photos import put_all


def test_version_equals_sha256sum(tmp_path: Path) -> None:
    put_all(
        tmp_path,
        {
            "b a/1.jpg": b"x",
            "a/Ä.jpg": b"x",
            "a/B.jpg": b"x",
            "a/a.jpg": b"x",
            "b/back\\slash": b"y",
            "b/two\nlines": b"z",
            "loose.jpg": b"no label",
            "a/empty.jpg": b"",
            "a/.hidden.jpg": b"h",
            ".cache/1.jpg": b"c",
            "b/Thumbs.db": b"t",
        },
    )

    command = re.findall(r"^    (find .*\n.*sha256sum)$", manifest.__doc__ or "", re.MULTILINE)[0]
    output = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert manifest.load(tmp_path).version == output.split()[0]


def test_manifest_round_trip(tmp_path: Path) -> None:
    put_all(tmp_path / "photos", {"a/1.jpg": b"one", "b/2.jpg": b"two", "b/empty.jpg": b""})
    found = manifest.load(tmp_path / "photos")
    path = tmp_path / "manifest.json"
    path.write_text(manifest.as_json(found))

    assert manifest.load(path) == found
    assert found.counts() == {"a": 1, "b": 1}
    assert found.left_out == (("b/empty.jpg", "the file is empty"),)


def test_non_utf8_name_is_percent_encoded(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Path(os.fsdecode(bytes(tmp_path / "a") + b"/caf\xe9.jpg")).write_bytes(b"x")

    found = manifest.load(tmp_path)

    assert [entry.file for entry in found.entries] == ["a/caf%E9.jpg"]
    manifest.as_json(found).encode()


@pytest.mark.parametrize("moved", [("a/1.jpg", "a/3.jpg"), ("a/1.jpg", "b/1.jpg")])
def test_version_depends_on_name_and_label(tmp_path: Path, moved: tuple[str, str]) -> None:
    put_all(tmp_path, {"a/1.jpg": b"one", "b/2.jpg": b"two"})
    before = manifest.load(tmp_path).version

    (tmp_path / moved[0]).rename(tmp_path / moved[1])

    assert manifest.load(tmp_path).version != before


def test_manifest_among_photos_is_ignored(tmp_path: Path) -> None:
    put_all(tmp_path, {"a/1.jpg": b"one"})
    (tmp_path / "manifest.json").write_text(manifest.as_json(manifest.load(tmp_path)))
    put_all(tmp_path, {"a/2.jpg": b"two"})

    assert len(manifest.load(tmp_path).entries) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[]", "format, version or photos are missing"),
        (b'{"labels": []}', "format, version or photos are missing"),
        (b'{"format": 9, "version": "", "photos": []}', "use a newer dogid"),
        (b'{"format": 1, "version": "", "photos": [{"file": "a"}]}', "damaged"),
        (b'{"format": 1, "version": "", "photos": 7}', "damaged"),
        (
            rb'{"format": 1, "version": "", "photos": [{"file": "a/\udc80", "label": "a", "sha256": "", "bytes": 1}]}',
            "damaged",
        ),
        (b'{"format": 1, "version": "00", "photos": []}', "damaged or was edited"),
    ],
)
def test_invalid_manifest_error_has_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=reason) as error:
        manifest.load(path)
    assert str(path) in str(error.value)


def test_edited_manifest_is_rejected(tmp_path: Path) -> None:
    put_all(tmp_path / "photos", {"a/1.jpg": b"one"})
    document = json.loads(manifest.as_json(manifest.load(tmp_path / "photos")))
    document["photos"][0]["file"] = "b/1.jpg"
    (tmp_path / "m.json").write_text(json.dumps(document))

    with pytest.raises(UsageError, match="edited"):
        manifest.load(tmp_path / "m.json")


def test_output_of_older_dogid_has_a_hint(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")

    with pytest.raises(UsageError, match="Give the folder of its photos"):
        manifest.load(tmp_path)
