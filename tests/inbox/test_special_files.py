"""Pipes, sockets, devices, folders, links and other files that are not photos."""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put


def assert_ignored(daemon: DaemonProcess, *names: str) -> None:
    """Check that a photo which comes afterwards is classified, and that these files do not count."""
    witness = f"after-{names[0]}"
    put(daemon.inbox / witness, photo(99))
    daemon.wait_for_classified(witness, photo(99))
    daemon.wait_for_next_scan()
    counted = daemon.results_by_name()
    assert not counted.keys() & set(names)
    daemon.wait_for_clean_audit(len(counted))


def test_named_pipe_is_not_opened(shared_daemon: DaemonProcess) -> None:
    os.mkfifo(shared_daemon.inbox / "pipe.jpg")
    assert_ignored(shared_daemon, "pipe.jpg")

    # a writer's open succeeds only while somebody reads
    with pytest.raises(OSError, match="No such device"):
        os.open(shared_daemon.inbox / "pipe.jpg", os.O_WRONLY | os.O_NONBLOCK)


def test_socket_is_ignored(shared_daemon: DaemonProcess) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(shared_daemon.inbox / "socket.jpg"))
        assert_ignored(shared_daemon, "socket.jpg")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_device_is_not_opened(shared_daemon: DaemonProcess) -> None:
    os.mknod(shared_daemon.inbox / "zero.jpg", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    assert_ignored(shared_daemon, "zero.jpg")


def test_folder_named_like_a_photo_is_a_folder(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / "folder.jpg" / "y.jpg", photo(1))
    shared_daemon.wait_for_classified("folder.jpg/y.jpg", photo(1))
    assert_ignored(shared_daemon, "folder.jpg")


def test_link_to_a_hidden_photo_in_the_inbox_is_followed(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / ".store" / "real.jpg", photo(3))
    (shared_daemon.inbox / "relative.jpg").symlink_to(".store/real.jpg")
    (shared_daemon.inbox / "absolute.jpg").symlink_to(shared_daemon.inbox / ".store" / "real.jpg")

    for name in ("relative.jpg", "absolute.jpg"):
        shared_daemon.wait_for_classified(name, photo(3))
    shared_daemon.wait_for_clean_audit(len(shared_daemon.results()))


def test_link_to_a_photo_that_counts_by_itself_is_ignored(shared_daemon: DaemonProcess) -> None:
    """As of motion's lastsnap.jpg, which links to the newest snapshot."""
    put(shared_daemon.inbox / "sub" / "real.jpg", photo(3))
    (shared_daemon.inbox / "lastsnap.jpg").symlink_to("sub/real.jpg")
    (shared_daemon.inbox / "absolute-snap.jpg").symlink_to(shared_daemon.inbox / "sub" / "real.jpg")
    shared_daemon.wait_for_classified("sub/real.jpg", photo(3))
    assert_ignored(shared_daemon, "lastsnap.jpg", "absolute-snap.jpg")


def test_link_out_of_the_inbox_is_not_followed(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    secret = put(shared_daemon.inbox.parent / "secret.jpg", photo(3))
    (tmp_path / "outside").mkdir()
    put(tmp_path / "outside" / "secret.jpg", photo(3))
    (shared_daemon.inbox / "direct.jpg").symlink_to(secret)
    (shared_daemon.inbox / "up.jpg").symlink_to("../secret.jpg")
    (shared_daemon.inbox / "folder").symlink_to(tmp_path / "outside")
    (shared_daemon.inbox / "through.jpg").symlink_to("folder/secret.jpg")
    assert_ignored(shared_daemon, "direct.jpg", "up.jpg", "through.jpg", "folder/secret.jpg")


def test_broken_and_circular_and_device_links_are_ignored(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "nowhere.jpg").symlink_to("missing.jpg")
    (shared_daemon.inbox / "self.jpg").symlink_to("self.jpg")
    (shared_daemon.inbox / "a.jpg").symlink_to("b.jpg")
    (shared_daemon.inbox / "b.jpg").symlink_to("a.jpg")
    (shared_daemon.inbox / "loop").symlink_to(".")
    (shared_daemon.inbox / "device.jpg").symlink_to("/dev/zero")
    assert_ignored(shared_daemon, "nowhere.jpg", "self.jpg", "a.jpg", "b.jpg", "device.jpg")


def test_link_to_a_later_photo_is_classified(shared_daemon: DaemonProcess) -> None:
    (shared_daemon.inbox / "early.jpg").symlink_to(".later.jpg")
    shared_daemon.wait_for_next_scan()
    put(shared_daemon.inbox / ".later.jpg", photo(4))

    shared_daemon.wait_for_classified("early.jpg", photo(4))


def test_inbox_may_be_a_link(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    daemon.stop()
    inbox.rename(tmp_path / "real")
    inbox.symlink_to(tmp_path / "real")
    daemon.start()
    put(inbox / "a.jpg", photo(5))
    put(inbox / ".hidden.jpg", photo(5))
    (inbox / "link.jpg").symlink_to(inbox / ".hidden.jpg")

    daemon.wait_for_classified("a.jpg", photo(5))
    daemon.wait_for_classified("link.jpg", photo(5))


def test_other_files_fail_as_unsupported(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / "text.jpg", b"no photo at all\n" * 100)
    put(shared_daemon.inbox / "program.png", Path("/bin/true").read_bytes())
    put(shared_daemon.inbox / "vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    put(shared_daemon.inbox / "paper.pdf", b"%PDF-1.7\n" + b"x" * 1000)
    put(shared_daemon.inbox / "eps.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")

    for name in ("text.jpg", "program.png", "vector.svg", "paper.pdf", "eps.jpg"):
        shared_daemon.wait_for_failed(name, "unsupported")


def test_inbox_is_never_modified(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "sub" / "good.jpg", photo(6))
    put(inbox / "bad.jpg", b"bad")
    put(inbox / "cut.jpg", photo(7)[:-3000])
    listing = ["find", str(inbox), "-printf", "%P %i %s %T@ %C@ %m %u\n"]
    before = subprocess.run(listing, capture_output=True, check=True).stdout
    daemon.wait_for_all_answers(3)
    daemon.stop()

    assert subprocess.run(listing, capture_output=True, check=True).stdout == before
