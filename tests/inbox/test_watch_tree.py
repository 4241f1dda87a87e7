"""The watch by itself, on real folders: its events, and the paths of folders that are moved."""

import ctypes
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchdog
from watchdog.observers import inotify_c

from dogid.inbox.watch import FileEvent, Watch, WatchUnavailableError, check_watchdog
from tests.conftest import MakeDaemon
from tests.support.daemon import environment
from tests.support.photos import photo, put
from tests.support.waiting import eventually


class WatchRecorder:
    """A watch, and the events that came from it."""

    def __init__(self, inbox: Path) -> None:
        self.inbox = inbox
        self.events: list[FileEvent] = []
        self.events_lost = 0
        self.watch = Watch(inbox, self.events.append, self._count_lost)

    def _count_lost(self) -> None:
        self.events_lost += 1

    def wait_for(self, path: str, kind: str = "closed") -> FileEvent:
        """Wait for an event, and return it."""
        wanted = os.fsencode(path), kind

        def found() -> FileEvent | None:
            return next((event for event in self.events if (event.path, event.kind) == wanted), None)

        return eventually(found, f"{path} is {kind}; events so far: {self.events}")

    def has_event_for(self, path: Path) -> bool:
        """Write a file, then one in the inbox itself; return whether the first had an event when the second had one."""
        self.events.clear()
        path.write_bytes(b"x")
        mark = f"mark-{time.monotonic_ns()}"
        (self.inbox / mark).write_bytes(b"x")
        self.wait_for(mark)
        return any(event.path.endswith(os.fsencode(path.name)) and event.kind != "gone" for event in self.events)


@pytest.fixture
def recorder(inbox: Path) -> Iterator[WatchRecorder]:
    made = WatchRecorder(inbox)
    yield made
    made.watch.stop()


def test_closed_linked_moved_and_renamed_files_have_events(recorder: WatchRecorder, tmp_path: Path) -> None:
    (recorder.inbox / "closed").write_bytes(b"x")
    os.link(recorder.inbox / "closed", recorder.inbox / "linked")
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "elsewhere").rename(recorder.inbox / "moved")
    (recorder.inbox / "closed").rename(recorder.inbox / "renamed")

    recorder.wait_for("closed")
    recorder.wait_for("linked", "created")
    assert recorder.wait_for("moved", "moved").moved_from is None
    assert recorder.wait_for("renamed", "moved").moved_from == b"closed"


def test_ignored_names_have_no_events_and_no_watch(recorder: WatchRecorder) -> None:
    (recorder.inbox / ".thumbnails").mkdir()
    (recorder.inbox / ".thumbnails" / "a.jpg").write_bytes(b"x")
    (recorder.inbox / "photo.part").write_bytes(b"x")
    (recorder.inbox / "photo.part").rename(recorder.inbox / "photo.jpg")

    assert recorder.wait_for("photo.jpg", "moved").moved_from is None
    assert [event.path for event in recorder.events] == [b"photo.jpg"]


def test_moved_out_folder_is_watched_again_on_return(recorder: WatchRecorder, tmp_path: Path) -> None:
    (recorder.inbox / "sub" / "deep").mkdir(parents=True)
    recorder.wait_for("sub", "created")
    eventually(lambda: recorder.has_event_for(recorder.inbox / "sub" / "deep" / "a"), "its folders are watched")
    (recorder.inbox / "sub").rename(tmp_path / "away")

    assert not recorder.has_event_for(tmp_path / "away" / "deep" / "b")
    (tmp_path / "away").rename(recorder.inbox / "back")
    assert recorder.wait_for("back", "moved").is_folder
    (recorder.inbox / "back" / "deep" / "c").write_bytes(b"x")
    recorder.wait_for("back/deep/c")
    assert recorder.events_lost == 0


def test_events_carry_new_names_of_renamed_folders(recorder: WatchRecorder) -> None:
    for name in ("one", "two"):
        (recorder.inbox / name / "deep").mkdir(parents=True)
        recorder.wait_for(name, "created")
        eventually(lambda name=name: recorder.has_event_for(recorder.inbox / name / "deep" / "a"), "it is watched")  # type: ignore[misc]
    (recorder.inbox / "one").rename(recorder.inbox / "three")
    (recorder.inbox / "two").rename(recorder.inbox / "one")
    (recorder.inbox / "three").rename(recorder.inbox / "two")
    recorder.wait_for("two", "moved")

    for name in ("one", "two"):
        (recorder.inbox / name / "deep" / f"{name}.jpg").write_bytes(b"x")
        recorder.wait_for(f"{name}/deep/{name}.jpg")
    assert recorder.events_lost == 0


def test_recreated_folder_is_watched_again(recorder: WatchRecorder) -> None:
    for number in range(20):
        (recorder.inbox / "sub").mkdir()
        assert eventually(lambda: recorder.has_event_for(recorder.inbox / "sub" / "a"), f"it is watched, time {number}")
        (recorder.inbox / "sub" / "a").unlink()
        (recorder.inbox / "sub").rmdir()
    assert recorder.events_lost == 0


def test_recreated_folder_is_watched_while_its_predecessor_is_open(recorder: WatchRecorder) -> None:
    """The kernel reports a deletion only when nobody has the folder open any more."""
    (recorder.inbox / "sub").mkdir()
    eventually(lambda: recorder.has_event_for(recorder.inbox / "sub" / "a"), "it is watched")
    held = os.open(recorder.inbox / "sub", os.O_RDONLY)
    try:
        (recorder.inbox / "sub" / "a").unlink()
        (recorder.inbox / "sub").rmdir()
        recorder.events.clear()
        (recorder.inbox / "sub").mkdir()
        recorder.wait_for("sub", "created")
    finally:
        os.close(held)

    assert recorder.has_event_for(recorder.inbox / "sub" / "b")
    assert recorder.has_event_for(recorder.inbox / "sub" / "c")


def test_folder_renamed_onto_another_is_watched(recorder: WatchRecorder) -> None:
    for name in ("one", "two"):
        (recorder.inbox / name).mkdir()
        recorder.wait_for(name, "created")
    (recorder.inbox / "one" / "a").write_bytes(b"x")
    recorder.wait_for("one/a")
    (recorder.inbox / "one").rename(recorder.inbox / "two")
    recorder.wait_for("two", "moved")

    assert recorder.has_event_for(recorder.inbox / "two" / "b")
    assert recorder.has_event_for(recorder.inbox / "two" / "c")


def test_exchanged_folders_are_both_watched(recorder: WatchRecorder) -> None:
    for name in ("one", "two"):
        (recorder.inbox / name).mkdir()
        recorder.wait_for(name, "created")
    exchange(recorder.inbox / "one", recorder.inbox / "two")
    recorder.wait_for("one", "moved")
    recorder.wait_for("two", "moved")

    for name in ("one", "two"):
        (recorder.inbox / name / f"{name}.jpg").write_bytes(b"x")
        recorder.wait_for(f"{name}/{name}.jpg")


def exchange(one: Path, other: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE, which Python does not offer."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD
    if libc.renameat2(here, os.fsencode(one), here, os.fsencode(other), 2) != 0:
        pytest.skip(f"no RENAME_EXCHANGE here: {os.strerror(ctypes.get_errno())}")


def test_watch_of_a_recreated_inbox_is_stale(recorder: WatchRecorder) -> None:
    """Its path may then lead to the same inode: file systems reuse it at once."""
    recorder.inbox.rmdir()
    recorder.inbox.mkdir()

    eventually(lambda: recorder.events_lost, "the loss is reported")
    assert recorder.watch.is_stale()


def test_watch_is_stale_if_restarting_after_overflow_fails(
    recorder: WatchRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    assert not recorder.watch.is_stale()
    monkeypatch.setattr(inotify_c.InotifyFD, "add_callback", fails)
    recorder.watch._events.on_queue_overflow()

    assert recorder.events_lost == 2  # the overflow, and the failed restart
    assert recorder.watch.is_stale()


def test_failed_start_reports_no_lost_events(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    lost: list[int] = []
    monkeypatch.setattr("dogid.inbox.watch_tree.os.scandir", fails)
    with pytest.raises(OSError, match="Input/output"):
        Watch(inbox, lambda _: None, lambda: lost.append(1))
    assert lost == []


def test_inbox_behind_a_link_is_watched(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(inbox)
    recorder = WatchRecorder(tmp_path / "link")
    try:
        (inbox / "a").write_bytes(b"x")
        recorder.wait_for("a")
    finally:
        recorder.watch.stop()


@pytest.mark.parametrize("name", ["InotifyFD.add_callback", "InotifyEvent.cookie", "InotifyConstants.IN_MOVE", "Mask"])
def test_missing_name_of_watchdog_is_reported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, _, attribute = f"watchdog.observers.inotify_c.{name}".rpartition(".")
    if name == "InotifyEvent.cookie":
        monkeypatch.delitem(inotify_c.InotifyEvent.__dataclass_fields__, "cookie")
    else:
        monkeypatch.delattr(f"{owner}.{attribute}")

    with pytest.raises(WatchUnavailableError, match=f"{name} is missing; install the watchdog version"):
        check_watchdog()


def test_daemon_scans_where_watchdog_lacks_a_name(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(Path(watchdog.__file__).parent, tmp_path / "changed" / "watchdog")
    module = copy / "observers" / "inotify_c.py"
    module.write_text(module.read_text().replace("def add_callback", "def add_watch_callback"))
    path = os.pathsep.join([str(tmp_path / "changed"), environment()["PYTHONPATH"]])
    daemon = make_daemon("--settle", "1", environ={"PYTHONPATH": path}).start()
    put(inbox / "a.jpg", photo(1))

    daemon.wait_for_classified("a.jpg", photo(1))
    assert daemon.status()["watcher"]["mode"] == "scan"
    daemon.wait_for_log("inotify_c.InotifyFD.add_callback is missing")
