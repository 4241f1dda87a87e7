"""The watch: it misses events, its folder is replaced or missing, it is unavailable. No photo is lost."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.inotify_limit import with_inotify_limit
from tests.support.photos import photo, put
from tests.support.waiting import eventually

MANY = 2_000
OVERFLOW = 20_000
"""More than the kernel keeps for a reader that does not read (fs.inotify.max_queued_events, 16384 by default)."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")


def mount(daemon: DaemonProcess, *command: str) -> None:
    """Run a command where the daemon sees its mounts."""
    subprocess.run(["nsenter", "--mount", "--target", str(daemon.pid), *command], check=True)


def wait_for_events(daemon: DaemonProcess) -> None:
    """Wait until the kernel's events are there, after a scan in their place."""
    eventually(lambda: daemon.status()["watcher"]["mode"] == "events", "the inbox is watched by events")


@pytest.fixture
def mounting_daemon(make_daemon: MakeDaemon) -> DaemonProcess:
    """A daemon with mounts of its own."""
    return make_daemon("--settle", "1", before=["unshare", "--mount", "--propagation", "private"])


def many(folder: Path, count: int) -> None:
    """Make many files, of which one in forty is a photo: hard links, which are made fast."""
    sources = [put(folder.parent / "sources" / "text", b"no photo"), put(folder.parent / "sources" / "photo", photo(0))]
    for number in range(count):
        os.link(sources[number % 40 == 0], folder / f"{number:05}.jpg")


def fill_event_queue(inbox: Path) -> None:
    """Cause more events than the kernel keeps, by files that do not count."""
    for number in range(1200):  # 16 events each, over the kernel's 16384
        path = put(inbox / f"noise{number % 2}.part", b"x")
        for _ in range(7):
            path.rename(inbox / "noise.part")
            (inbox / "noise.part").rename(path)


@pytest.mark.parametrize("count", [MANY, pytest.param(OVERFLOW, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_event_queue_overflow_triggers_a_scan(daemon: DaemonProcess, inbox: Path, count: int) -> None:
    put(inbox / "before.jpg", photo(1))
    daemon.wait_for_classified("before.jpg", photo(1))
    daemon.send(signal.SIGSTOP)
    if count < OVERFLOW:
        fill_event_queue(inbox)
    many(inbox, count)
    daemon.send(signal.SIGCONT)

    photos = count // 40
    expected = {"pending": 0, "classified": photos + 1, "failed": count - photos}
    eventually(lambda: daemon.status()["counts"] == expected, "all files are answered", timeout=240)
    daemon.wait_for_clean_audit(count + 1)
    daemon.wait_for_log("queue overflowed")
    put(inbox / "sub" / "later.jpg", photo(3))
    daemon.wait_for_classified("sub/later.jpg", photo(3))
    wait_for_events(daemon)


def test_replaced_inbox_is_watched_again(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    put(inbox / "old.jpg", photo(4))
    daemon.wait_for_classified("old.jpg", photo(4))
    inbox.rename(tmp_path / "away")
    put(tmp_path / "fresh" / "new.jpg", photo(5))
    (tmp_path / "fresh").rename(inbox)
    daemon.wait_for_classified("new.jpg", photo(5))
    daemon.wait_for_log("starting a new watch")
    put(inbox / "later.jpg", photo(6))

    daemon.wait_for_classified("later.jpg", photo(6))
    wait_for_events(daemon)
    put(tmp_path / "away" / "elsewhere.jpg", photo(7))
    daemon.wait_for_next_scan()
    assert set(daemon.results_by_name()) == {"old.jpg", "new.jpg", "later.jpg"}


def test_inbox_that_was_missing_is_watched_again(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    put(inbox / "old.jpg", photo(8))
    first = daemon.wait_for_classified("old.jpg", photo(8))
    inbox.rename(tmp_path / "away")
    eventually(lambda: daemon.status()["watcher"]["trouble"], "the status contains the missing inbox")
    put(tmp_path / "away" / "meanwhile.jpg", photo(9))
    (tmp_path / "away").rename(inbox)

    daemon.wait_for_classified("meanwhile.jpg", photo(9))
    eventually(lambda: daemon.status()["watcher"]["trouble"] is None, "the status has no error any more")
    assert daemon.results_by_name()["old.jpg"] == first
    put(inbox / "later.jpg", photo(10))
    daemon.wait_for_classified("later.jpg", photo(10))
    wait_for_events(daemon)
    daemon.wait_for_clean_audit(3)


@needs_root
def test_disk_mounted_over_the_inbox_is_watched(mounting_daemon: DaemonProcess, inbox: Path) -> None:
    daemon = mounting_daemon.start()
    put(inbox / "below.jpg", photo(11))
    daemon.wait_for_classified("below.jpg", photo(11))
    mount(daemon, "mount", "-t", "ramfs", "ramfs", str(inbox))  # a tmpfs may be below already
    mounted = Path(f"/proc/{daemon.pid}/root{inbox}")
    put(mounted / "first.jpg", photo(12))
    daemon.wait_for_classified("first.jpg", photo(12))
    eventually(lambda: "ramfs" in daemon.status()["watcher"]["reason"], "the mounted disk is watched")
    put(mounted / "second.jpg", photo(13))
    daemon.wait_for_classified("second.jpg", photo(13))

    mount(daemon, "umount", str(inbox))
    eventually(lambda: "ramfs" not in daemon.status()["watcher"]["reason"], "the folder below is watched again")
    put(inbox / "third.jpg", photo(14))
    daemon.wait_for_classified("third.jpg", photo(14))
    results = daemon.results_by_name()
    assert set(results) == {"below.jpg", "first.jpg", "second.jpg", "third.jpg"}
    assert {result["status"] for result in results.values()} == {"classified"}


@needs_root
def test_remounted_disk_keeps_its_results(mounting_daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    put(tmp_path / "disk" / "kept.jpg", photo(15))
    daemon = mounting_daemon.start()
    mount(daemon, "mount", "--bind", str(tmp_path / "disk"), str(inbox))
    first = daemon.wait_for_classified("kept.jpg", photo(15))
    mount(daemon, "umount", str(inbox))
    daemon.wait_for_next_scan()
    put(tmp_path / "disk" / "meanwhile.jpg", photo(16))
    mount(daemon, "mount", "--bind", str(tmp_path / "disk"), str(inbox))

    daemon.wait_for_classified("meanwhile.jpg", photo(16))
    assert daemon.results_by_name()["kept.jpg"] == first


@needs_root
def test_disk_mounted_inside_the_inbox_is_watched(mounting_daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "sub").mkdir()
    daemon = mounting_daemon.start()
    mount(daemon, "mount", "-t", "tmpfs", "tmpfs", str(inbox / "sub"))
    mounted = Path(f"/proc/{daemon.pid}/root{inbox}/sub")
    put(mounted / "first.jpg", photo(17))
    daemon.wait_for_classified("sub/first.jpg", photo(17))
    daemon.wait_for_log("starting a new watch")
    put(mounted / "second.jpg", photo(18))

    daemon.wait_for_classified("sub/second.jpg", photo(18))


@needs_root
def test_remote_file_system_is_scanned(mounting_daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    if shutil.which("bindfs") is None or not Path("/dev/fuse").exists():
        pytest.skip("needs bindfs (apt install bindfs) and /dev/fuse")
    remote = tmp_path / "remote"
    put(remote / "first.jpg", photo(19))
    mounting_daemon.before = [
        *mounting_daemon.before, "sh", "-c", f'bindfs "{remote}" "{inbox}" && exec "$@"', "sh"
    ]  # fmt: skip
    daemon = mounting_daemon.start()
    try:
        daemon.wait_for_classified("first.jpg", photo(19))
        watcher = daemon.status()["watcher"]
        assert watcher["mode"] == "scan"
        assert "fuse" in watcher["reason"]
        put(remote / "deep" / "second.jpg", photo(20))  # behind the mount's back, as another machine does
        daemon.wait_for_classified("deep/second.jpg", photo(20))
        (remote / "first.jpg").write_bytes(photo(21))
        daemon.wait_for_classified("first.jpg", photo(21))
        daemon.wait_for_next_scan()
        assert len(daemon.results()) == 2
    finally:
        mount(daemon, "umount", "--lazy", str(inbox))


def test_without_inotify_instances_it_scans_and_names_the_sysctl(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = limited_daemon(make_daemon, "instances", 0)
    put(inbox / "a.jpg", photo(22))

    daemon.wait_for_classified("a.jpg", photo(22))
    assert daemon.status()["watcher"]["mode"] == "scan"
    daemon.wait_for_next_scan()
    assert daemon.log_text().count("fs.inotify.max_user_instances") == 2  # the warning, and the start's summary


def test_without_inotify_watches_it_scans_and_names_the_sysctl(make_daemon: MakeDaemon, inbox: Path) -> None:
    daemon = limited_daemon(make_daemon, "watches", 0)
    put(inbox / "a.jpg", photo(23))

    daemon.wait_for_classified("a.jpg", photo(23))
    assert daemon.status()["watcher"]["mode"] == "scan"
    assert "fs.inotify.max_user_watches" in daemon.status()["watcher"]["reason"]


def test_folders_beyond_the_watch_limit_are_scanned(make_daemon: MakeDaemon, inbox: Path) -> None:
    for number in range(6):
        (inbox / f"sub{number}").mkdir()
    daemon = limited_daemon(make_daemon, "watches", 3)
    for number in range(6):
        put(inbox / f"sub{number}" / "a.jpg", photo(24))

    for number in range(6):
        daemon.wait_for_classified(f"sub{number}/a.jpg", photo(24))
    wait_for_events(daemon)
    assert "fs.inotify.max_user_watches" in daemon.status()["watcher"]["reason"]
    daemon.wait_for_log("fs.inotify.max_user_watches")


def limited_daemon(make_daemon: MakeDaemon, what: str, limit: int) -> DaemonProcess:
    """A daemon in a user namespace with its own inotify limit."""
    return make_daemon("--settle", "1", before=with_inotify_limit(what, limit)).start()
