"""The watch alone, on real folders: which events come, and by which path folders are known that are moved about."""

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dogid.inbox.watch import Wakeup, Watch
from tests.support.waiting import eventually


class Ears:
    """What a watch tells."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self.heard: list[Wakeup] = []
        self.missed = 0
        self.watch = Watch(inbox, self.heard.append, self._miss)

    def _miss(self) -> None:
        self.missed += 1

    def hear(self, path: str, kind: str = "closed") -> Wakeup:
        """Wait for a wake-up."""
        wanted = os.fsencode(path), kind

        def found() -> Wakeup | None:
            return next((wakeup for wakeup in self.heard if (wakeup.path, wakeup.kind) == wanted), None)

        return eventually(found, f"{path} is {kind}; heard {self.heard}")

    def is_heard_after(self, path: Path) -> bool:
        """Write a file, then one in the inbox itself; return whether the first was told when the second was."""
        self.heard.clear()
        path.write_bytes(b"x")
        mark = f"mark-{time.monotonic_ns()}"
        (self.inbox / mark).write_bytes(b"x")
        self.hear(mark)
        return any(wakeup.path.endswith(os.fsencode(path.name)) for wakeup in self.heard)


@pytest.fixture
def ears(inbox: Path) -> Iterator[Ears]:
    made = Ears(inbox)
    yield made
    made.watch.stop()


def test_files_are_told_when_closed_linked_moved_in_and_renamed(ears: Ears, tmp_path: Path) -> None:
    (ears.inbox / "closed").write_bytes(b"x")
    os.link(ears.inbox / "closed", ears.inbox / "linked")
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "elsewhere").rename(ears.inbox / "moved")
    (ears.inbox / "closed").rename(ears.inbox / "renamed")

    ears.hear("closed")
    ears.hear("linked", "created")
    assert ears.hear("moved", "moved").moved_from is None
    assert ears.hear("renamed", "moved").moved_from == b"closed"


def test_hidden_names_and_folders_are_not_told_and_cost_no_watch(ears: Ears) -> None:
    (ears.inbox / ".thumbnails").mkdir()
    (ears.inbox / ".thumbnails" / "a.jpg").write_bytes(b"x")
    (ears.inbox / "photo.part").write_bytes(b"x")
    (ears.inbox / "photo.part").rename(ears.inbox / "photo.jpg")

    assert ears.hear("photo.jpg", "moved").moved_from is None
    assert [wakeup.path for wakeup in ears.heard] == [b"photo.jpg"]


def test_a_folder_that_leaves_is_watched_no_more_and_again_when_it_returns(ears: Ears, tmp_path: Path) -> None:
    (ears.inbox / "sub" / "deep").mkdir(parents=True)
    ears.hear("sub", "created")
    eventually(lambda: ears.is_heard_after(ears.inbox / "sub" / "deep" / "a"), "its folders are watched")
    (ears.inbox / "sub").rename(tmp_path / "away")

    assert not ears.is_heard_after(tmp_path / "away" / "deep" / "b")
    (tmp_path / "away").rename(ears.inbox / "back")
    assert ears.hear("back", "moved").is_folder
    (ears.inbox / "back" / "deep" / "c").write_bytes(b"x")
    ears.hear("back/deep/c")
    assert ears.missed == 0


def test_folders_that_change_names_are_known_by_their_new_ones(ears: Ears) -> None:
    for name in ("one", "two"):
        (ears.inbox / name / "deep").mkdir(parents=True)
        ears.hear(name, "created")
        eventually(lambda name=name: ears.is_heard_after(ears.inbox / name / "deep" / "a"), "it is watched")  # type: ignore[misc]
    (ears.inbox / "one").rename(ears.inbox / "three")
    (ears.inbox / "two").rename(ears.inbox / "one")
    (ears.inbox / "three").rename(ears.inbox / "two")
    ears.hear("two", "moved")

    for name in ("one", "two"):
        (ears.inbox / name / "deep" / f"{name}.jpg").write_bytes(b"x")
        ears.hear(f"{name}/deep/{name}.jpg")
    assert ears.missed == 0


def test_a_folder_that_is_removed_and_made_again_is_watched_again(ears: Ears) -> None:
    for number in range(20):
        (ears.inbox / "sub").mkdir()
        assert eventually(lambda: ears.is_heard_after(ears.inbox / "sub" / "a"), f"it is watched, time {number}")
        (ears.inbox / "sub" / "a").unlink()
        (ears.inbox / "sub").rmdir()
    assert ears.missed == 0


def test_a_folder_made_anew_while_its_predecessor_is_held_open_is_watched(ears: Ears) -> None:
    """The kernel tells that a folder has gone only once nobody has it open."""
    (ears.inbox / "sub").mkdir()
    eventually(lambda: ears.is_heard_after(ears.inbox / "sub" / "a"), "it is watched")
    held = os.open(ears.inbox / "sub", os.O_RDONLY)
    try:
        (ears.inbox / "sub" / "a").unlink()
        (ears.inbox / "sub").rmdir()
        ears.heard.clear()
        (ears.inbox / "sub").mkdir()
        ears.hear("sub", "created")
    finally:
        os.close(held)

    assert ears.is_heard_after(ears.inbox / "sub" / "b")
    assert ears.is_heard_after(ears.inbox / "sub" / "c")


def test_a_folder_renamed_onto_an_empty_one_is_watched(ears: Ears) -> None:
    for name in ("one", "two"):
        (ears.inbox / name).mkdir()
        ears.hear(name, "created")
    (ears.inbox / "one" / "a").write_bytes(b"x")
    ears.hear("one/a")
    (ears.inbox / "one").rename(ears.inbox / "two")
    ears.hear("two", "moved")

    assert ears.is_heard_after(ears.inbox / "two" / "b")
    assert ears.is_heard_after(ears.inbox / "two" / "c")


def test_two_folders_that_are_exchanged_are_both_watched(ears: Ears) -> None:
    for name in ("one", "two"):
        (ears.inbox / name).mkdir()
        ears.hear(name, "created")
    exchange(ears.inbox / "one", ears.inbox / "two")
    ears.hear("one", "moved")
    ears.hear("two", "moved")

    for name in ("one", "two"):
        (ears.inbox / name / f"{name}.jpg").write_bytes(b"x")
        ears.hear(f"{name}/{name}.jpg")


def exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE, which Python does not offer."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD
    if libc.renameat2(here, os.fsencode(one), here, os.fsencode(other), 2) != 0:
        pytest.skip(f"no RENAME_EXCHANGE here: {os.strerror(ctypes.get_errno())}")


def test_an_inbox_that_is_removed_and_made_again_is_no_longer_what_is_watched(ears: Ears) -> None:
    """Its path may then lead to the same inode: file systems give it out again at once."""
    ears.inbox.rmdir()
    ears.inbox.mkdir()

    eventually(lambda: ears.missed, "it is told")
    assert not ears.watch.is_sound()


def test_a_watch_that_cannot_be_laid_anew_after_an_overflow_is_no_longer_sound(
    ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    assert ears.watch.is_sound()
    monkeypatch.setattr(ears.watch._inotify, "add_callback", fails)
    ears.watch._events.on_queue_overflow()

    assert ears.missed == 2  # the overflow, and that it could not be dealt with
    assert not ears.watch.is_sound()


def test_a_watch_that_cannot_be_laid_tells_of_nothing_missed(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    missed: list[int] = []
    monkeypatch.setattr("dogid.inbox.watch_tree.os.scandir", fails)
    with pytest.raises(OSError, match="Input/output"):
        Watch(inbox, lambda _: None, lambda: missed.append(1))
    assert missed == []


def test_an_inbox_named_by_a_link_is_watched(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(inbox)
    ears = Ears(tmp_path / "link")
    try:
        (inbox / "a").write_bytes(b"x")
        ears.hear("a")
    finally:
        ears.watch.stop()
