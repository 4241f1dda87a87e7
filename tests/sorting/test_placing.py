"""Making one copy or link: what cannot be made says why, and leaves what is there."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from dogid.sorting.placing import Kind, LinkError, SkippedError, UnreadableError, check_disk, claim, prepare

CONTENT = b"a photo"
HASH = sha256(CONTENT).hexdigest()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    (folder / "folder").mkdir(parents=True)
    (folder / "1.jpg").write_bytes(CONTENT)
    return folder


@pytest.mark.parametrize(
    ("place", "path", "reason"),
    [
        ("gone", b"1.jpg", "the inbox cannot be read: No such file or directory"),
        ("inbox", b"x" * 300, "it cannot be read: File name too long"),
        ("/proc/self", b"mem", "it cannot be read: Input/output error"),  # as on a failing disk
    ],
)
def test_photo_that_may_be_readable_later_is_distinguished(
    inbox: Path, tmp_path: Path, place: str, path: bytes, reason: str
) -> None:
    with pytest.raises(UnreadableError, match=reason):
        prepare(Kind.COPY, inbox.parent / place, path, HASH, None, tmp_path / "part")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (b"gone.jpg", "it has left the inbox"),
        (b"folder", "it is no regular file of the inbox"),
        (b"../inbox/1.jpg", "it is no regular file of the inbox"),
        (b"1.jpg", "it has changed since it was classified"),
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_photo_that_has_changed_is_passed_over(
    inbox: Path, tmp_path: Path, kind: Kind, path: bytes, reason: str
) -> None:
    with pytest.raises(SkippedError, match=reason) as raised:
        prepare(kind, inbox, path, "0" * 64, 1, tmp_path / "part")
    assert not isinstance(raised.value, UnreadableError)
    assert kind is Kind.COPY or not os.path.lexists(tmp_path / "part")


@pytest.mark.parametrize("kind", Kind)
def test_folder_that_has_gone_is_an_error_of_the_disk(inbox: Path, tmp_path: Path, kind: Kind) -> None:
    with pytest.raises(FileNotFoundError):
        prepare(kind, inbox, b"1.jpg", HASH, None, tmp_path / "gone/part")
    prepare(kind, inbox, b"1.jpg", HASH, None, tmp_path / "part")
    with pytest.raises(FileNotFoundError):
        claim(tmp_path / "part", tmp_path / "gone/1.jpg")

    assert claim(tmp_path / "part", tmp_path / "1.jpg")
    assert (tmp_path / "1.jpg").read_bytes() == CONTENT


def test_hard_link_to_another_disk_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="another disk than the inbox, and hard links need one: copy"):
        prepare(Kind.HARDLINK, Path("/proc"), b"version", HASH, None, tmp_path / "part")
    with pytest.raises(LinkError, match="another disk"):
        check_disk(b"/proc/version", tmp_path / "new/sorted")
    check_disk(b"/proc/gone", tmp_path)


def test_name_of_another_file_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENT)
    (tmp_path / "1.jpg").symlink_to("nowhere")

    assert not claim(tmp_path / "part", tmp_path / "1.jpg")
    assert (tmp_path / "1.jpg").is_symlink()
    assert (tmp_path / "part").read_bytes() == CONTENT
