"""Photos that come from elsewhere get a name of their own, all or none of them, on file systems of any kind."""

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dogid.inbox import free_name
from dogid.inbox.free_name import rename_to_free_name
from dogid.inbox.incoming import IncomingPhoto, keep_all, remove_abandoned
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
