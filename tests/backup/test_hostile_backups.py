"""Backups that are cut off, changed or made up are refused, and the state folder stays as it is."""

import contextlib
import hashlib
import json
import sqlite3
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dogid.backup.archive import MANIFEST
from dogid.backup.write import write_backup
from dogid.errors import DogidError
from dogid.ledger.database import FILE_NAME
from tests.backup.state_folder import SHELF, fill, ids, make_backup, restore
from tests.ledger.ledger_folder import Inbox
from tests.support.photos import put
from tests.support.privileges import needs_root


@pytest.fixture
def kept(tmp_path: Path) -> Inbox:
    folder = Inbox(tmp_path)
    fill(folder, "a.jpg", "b.jpg")
    put(folder.state / SHELF, b"a model")
    return folder


def assert_refused(backup: Path, kept: Inbox) -> None:
    """Assert that a backup is refused with its name, and that the state folder has nothing else than before."""
    before = sorted(path.relative_to(kept.state) for path in kept.state.rglob("*") if path.suffix != ".lock")
    with pytest.raises(DogidError) as met:
        restore(backup, kept.state)
    assert str(met.value).startswith(f"{backup}: ")
    assert sorted(path.relative_to(kept.state) for path in kept.state.rglob("*") if path.suffix != ".lock") == before
    assert ids(kept) == [1, 2]


def read_parts(backup: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(backup) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(parts.pop(MANIFEST)), parts


def pack(path: Path, manifest: object, parts: list[tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts:
            archive.writestr(name, data)
        archive.writestr(MANIFEST, json.dumps(manifest))
    return path


def entry(name: str, data: bytes) -> dict[str, object]:
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_backup_that_is_cut_off_is_refused(kept: Inbox, tmp_path: Path, share: float) -> None:
    backup = make_backup(kept.state, tmp_path)
    data = backup.read_bytes()
    backup.write_bytes(data[: int(len(data) * share)])

    assert_refused(backup, kept)


def contents(state: Path) -> tuple[bytes, list[tuple[object, ...]]]:
    """Return the model in a state folder, and all rows of photos."""
    with contextlib.closing(sqlite3.connect(state / FILE_NAME)) as db:
        return (state / SHELF).read_bytes(), db.execute("SELECT * FROM photo ORDER BY id").fetchall()


def test_any_damaged_byte_is_noticed_or_harmless(kept: Inbox, tmp_path: Path) -> None:
    backup = make_backup(kept.state, tmp_path)
    data = backup.read_bytes()
    restore(backup, tmp_path / "sound")
    whole = contents(tmp_path / "sound")
    assert whole == contents(kept.state)
    date = data.index(b"PK\x01\x02") + 12  # of the first file, which is not used
    refused = []
    places = [date, *range(0, len(data), max(1, len(data) // 60))]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 0x10
        backup.write_bytes(changed)
        try:
            restore(backup, tmp_path / f"state{place}")
        except DogidError:
            refused.append(place)
        else:
            assert contents(tmp_path / f"state{place}") == whole, place
    assert date not in refused
    assert len(refused) > len(places) // 2


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/evil", "models/../../evil", "models//x", "evil.db", "models/a\\b", "models", "models/\x1b"],
)
def test_names_that_lead_elsewhere_are_refused(kept: Inbox, tmp_path: Path, name: str) -> None:
    manifest, parts = read_parts(make_backup(kept.state, tmp_path))
    manifest["files"].append(entry(name, b"evil"))
    backup = pack(tmp_path / "made.zip", manifest, [*parts.items(), (name, b"evil")])

    assert_refused(backup, kept)
    assert not list(tmp_path.rglob("evil*"))


def test_files_beside_the_manifest_are_refused(kept: Inbox, tmp_path: Path) -> None:
    manifest, parts = read_parts(make_backup(kept.state, tmp_path))
    assert_refused(pack(tmp_path / "more.zip", manifest, [*parts.items(), ("models/x", b"x")]), kept)
    assert_refused(pack(tmp_path / "less.zip", manifest, [(FILE_NAME, parts[FILE_NAME])]), kept)


def test_other_content_than_the_manifest_names_is_refused(kept: Inbox, tmp_path: Path) -> None:
    manifest, parts = read_parts(make_backup(kept.state, tmp_path))
    assert_refused(pack(tmp_path / "other.zip", manifest, [*(parts | {SHELF: b"A model"}).items()]), kept)


def test_link_in_a_backup_becomes_a_plain_file(kept: Inbox, tmp_path: Path) -> None:
    manifest, parts = read_parts(make_backup(kept.state, tmp_path))
    link = zipfile.ZipInfo(SHELF)
    link.external_attr = 0o120777 << 16
    manifest["files"] = [entry(FILE_NAME, parts[FILE_NAME]), entry(SHELF, b"/etc/passwd")]
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(FILE_NAME, parts[FILE_NAME])
        archive.writestr(link, b"/etc/passwd")
        archive.writestr(MANIFEST, json.dumps(manifest))

    restore(tmp_path / "link.zip", tmp_path / "other")

    assert not (tmp_path / "other" / SHELF).is_symlink()


def test_bomb_is_refused_before_it_is_unpacked(kept: Inbox, tmp_path: Path) -> None:
    manifest, parts = read_parts(make_backup(kept.state, tmp_path))
    manifest["files"].append({"name": "models/bomb", "size": 1 << 50, "sha256": "0" * 64})
    backup = pack(tmp_path / "bomb.zip", manifest, [*parts.items(), ("models/bomb", bytes(1 << 20))])
    assert_refused(backup, kept)  # the sizes of manifest and archive disagree

    manifest["files"][-1]["size"] = 1 << 20
    data = bytearray(
        pack(tmp_path / "small.zip", manifest, [*parts.items(), ("models/bomb", bytes(64 << 20))]).read_bytes()
    )
    size = (64 << 20).to_bytes(4, "little")
    backup = put(tmp_path / "lying.zip", bytes(data).replace(size, (1 << 20).to_bytes(4, "little")))
    assert_refused(backup, kept)


@pytest.mark.parametrize(
    "manifest", [[], {}, {"format": 1}, {"format": 1, "files": 3}, {"format": 1, "files": [[]]}, "x"]
)
def test_made_up_manifest_is_refused(kept: Inbox, tmp_path: Path, manifest: object) -> None:
    assert_refused(pack(tmp_path / "made.zip", manifest, [(FILE_NAME, b"x")]), kept)


def test_foreign_ledger_in_a_backup_is_refused(kept: Inbox, tmp_path: Path) -> None:
    manifest, _ = read_parts(make_backup(kept.state, tmp_path))
    manifest["files"] = [entry(FILE_NAME, b"no database at all" * 300)]
    assert_refused(pack(tmp_path / "made.zip", manifest, [(FILE_NAME, b"no database at all" * 300)]), kept)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@needs_root
def test_full_disk_leaves_no_part_of_a_backup(kept: Inbox, small_disk: Path) -> None:
    with pytest.raises(DogidError, match="nothing was left there"):
        write_backup(kept.state, small_disk / "dogid.zip", force=False, on_progress=lambda _: None)

    assert list(small_disk.iterdir()) == []


@needs_root
def test_full_disk_leaves_the_ledger_before_a_restore(kept: Inbox, tmp_path: Path, small_disk: Path) -> None:
    backup = make_backup(kept.state, tmp_path)

    with pytest.raises(DogidError, match="MB are free; nothing was changed"):
        restore(backup, small_disk / "state")
    assert [path.name for path in small_disk.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
