"""Photos that come from elsewhere get a name of their own, all or none of them, on file systems of any kind."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dogid.inbox import free_name
from dogid.inbox import incoming as incoming_module
from dogid.inbox.free_name import rename_to_free_name
from dogid.inbox.incoming import (
    CancelledError,
    IncomingPhoto,
    PartlyKeptError,
    TooLargeError,
    keep_all,
    remove_abandoned,
)
from dogid.inbox.safe_open import Root, open_root
from tests.support.photos import photo

RACES = 100
RACERS = 4


@pytest.fixture(params=["renameat2", "link", "claim"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that can do all, those without renameat2, and those without hard links, too."""

    def refuse(number: int) -> Callable[..., None]:
        def call(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        return call

    if request.param != "renameat2":
        monkeypatch.setattr(free_name, "_rename_without_replacing", refuse(errno.EINVAL))
    if request.param != "link":
        monkeypatch.setattr(os, "link", refuse(errno.EPERM))


@pytest.mark.usefixtures("file_system")
def test_racing_photos_get_different_names(tmp_path: Path) -> None:
    start = threading.Barrier(RACERS)

    def race(root: Root, racer: int) -> list[bool]:
        won = list[bool]()
        for number in range(RACES):
            (tmp_path / f"{number}-{racer}").write_bytes(b"%d" % racer)
            start.wait()
            won.append(rename_to_free_name(root.descriptor, f"{number}-{racer}", f"{number}.jpg"))
        return won

    with open_root(tmp_path) as root, ThreadPoolExecutor(RACERS) as pool:
        all_won = list(pool.map(lambda racer: race(root, racer), range(RACERS)))
    for number in range(RACES):
        (winner,) = (racer for racer in range(RACERS) if all_won[racer][number])
        assert (tmp_path / f"{number}.jpg").read_bytes() == b"%d" % winner


@pytest.mark.usefixtures("file_system")
def test_no_other_file_or_link_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "file.jpg").write_bytes(b"mine")
    (tmp_path / "link.jpg").symlink_to("nowhere")
    (tmp_path / "new").write_bytes(b"new")
    with open_root(tmp_path) as root:
        assert not rename_to_free_name(root.descriptor, "new", "file.jpg")
        assert not rename_to_free_name(root.descriptor, "new", "link.jpg")
        assert rename_to_free_name(root.descriptor, "new", "free.jpg")
    assert (tmp_path / "file.jpg").read_bytes() == b"mine"
    assert (tmp_path / "link.jpg").is_symlink()
    assert (tmp_path / "free.jpg").read_bytes() == b"new"


def make_photo(root: Root, seed: int) -> IncomingPhoto:
    """A photo that is written and waits for its name."""
    incoming = IncomingPhoto(root, 1_000_000)
    incoming.write(photo(seed))
    incoming.finish()
    return incoming


@pytest.mark.usefixtures("file_system")
def test_error_between_two_photos_keeps_none(tmp_path: Path) -> None:
    (tmp_path / "same.jpg").write_bytes(photo(1))
    with open_root(tmp_path) as root:
        sent = [(name, make_photo(root, seed)) for seed, name in enumerate(("same.jpg", "a.jpg", "b.jpg"), 1)]
        (lost,) = (path for path in tmp_path.glob(".*") if path.read_bytes() == photo(3))
        lost.unlink()
        with pytest.raises(FileNotFoundError):
            keep_all(root, sent)
        for _, incoming in sent:
            incoming.discard()
    # what was there before stays
    assert [path.name for path in tmp_path.iterdir()] == ["same.jpg"]


def test_photo_that_is_sent_again_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "pipe.jpg").symlink_to("rex.jpg")
    with open_root(tmp_path) as root:
        names = [
            keep_all(root, [(name, make_photo(root, seed))])
            for name, seed in (("rex.jpg", 1), ("rex.jpg", 2), ("rex.jpg", 1), ("rex.jpg", 2), ("pipe.jpg", 1))
        ]
    assert names == [["rex.jpg"], ["rex-2.jpg"], ["rex.jpg"], ["rex-2.jpg"], ["pipe-2.jpg"]]


def test_only_parts_of_ended_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".dogid-upload-0123456789abcdef-01.part").write_bytes(photo(1))
    (tmp_path / ".other.part").touch()
    with open_root(tmp_path) as root:
        incoming = make_photo(root, 2)
        remove_abandoned(tmp_path)
        assert keep_all(root, [("a.jpg", incoming)]) == ["a.jpg"]
    assert {path.name for path in tmp_path.iterdir()} == {".other.part", "a.jpg"}


def test_photo_of_the_same_size_is_another(tmp_path: Path) -> None:
    (tmp_path / "rex.jpg").write_bytes(photo(1)[:-1] + b"\0")
    with open_root(tmp_path) as root:
        assert keep_all(root, [("rex.jpg", make_photo(root, 1))]) == ["rex-2.jpg"]


def test_too_large_photo_is_refused_unwritten(tmp_path: Path) -> None:
    with open_root(tmp_path) as root:
        incoming = IncomingPhoto(root, 1000)
        incoming.write(photo(1)[:1000])
        with pytest.raises(TooLargeError):
            incoming.write(b"x")
        assert [path.stat().st_size for path in tmp_path.iterdir()] == [1000]
        incoming.discard()
    assert not list(tmp_path.iterdir())


def test_upload_cancelled_in_the_middle_keeps_nothing(tmp_path: Path) -> None:
    with open_root(tmp_path) as root:
        sent = [(f"{seed}.jpg", make_photo(root, seed)) for seed in (1, 2)]
        sent[1][1].is_cancelled = True
        with pytest.raises(CancelledError):
            keep_all(root, sent)
        for _, incoming in sent:
            incoming.discard()
    assert not list(tmp_path.iterdir())


def test_disk_failing_between_photos_counts_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with open_root(tmp_path) as root:
        sent = [(f"{seed}.jpg", make_photo(root, seed)) for seed in (1, 2)]
        sent[1][1].discard()
        monkeypatch.setattr(os, "unlink", refuse)  # the disk became read-only after the first
        with pytest.raises(PartlyKeptError) as raised:
            keep_all(root, sent)
        monkeypatch.undo()
    assert raised.value.kept == 1
    assert isinstance(raised.value.cause, FileNotFoundError)
    assert [path.name for path in tmp_path.iterdir()] == ["1.jpg"]


@pytest.mark.parametrize("content", [None, b"another"])
def test_file_of_others_is_not_taken_back(tmp_path: Path, content: bytes | None) -> None:
    with open_root(tmp_path) as root:
        incoming = make_photo(root, 1)
        assert incoming.keep("rex.jpg") == "rex.jpg"
        (tmp_path / "rex.jpg").rename(tmp_path / "moved.jpg")
        if content is not None:
            (tmp_path / "rex.jpg").write_bytes(content)
        assert incoming.take_back()

    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert left == {"moved.jpg": photo(1)} | ({} if content is None else {"rex.jpg": content})


def test_photo_whose_names_are_all_taken_replaces_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming_module, "_MOST_NUMBERS", 3)
    monkeypatch.setattr("secrets.randbits", lambda _: 77)
    for name in ("rex.jpg", "rex-2.jpg"):
        (tmp_path / name).write_text(name)
    with open_root(tmp_path) as root:
        assert make_photo(root, 1).keep("rex.jpg") == "rex-77.jpg"
        incoming = make_photo(root, 2)
        with pytest.raises(FileExistsError):
            incoming.keep("rex.jpg")
        incoming.discard()

    assert {path.name for path in tmp_path.iterdir()} == {"rex.jpg", "rex-2.jpg", "rex-77.jpg"}
