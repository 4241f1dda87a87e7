"""Pipes, sockets, devices, folders, links and other files that are not photos."""

import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put


def still_works(daemon: DaemonProcess, inbox: Path, photos: int = 1) -> None:
    """A photo that comes afterwards is classified, and nothing else is counted."""
    put(inbox / "witness.jpg", photo(99))
    daemon.wait_for_classified("witness.jpg", photo(99))
    daemon.wait_for_next_scan()
    assert len(daemon.results()) == photos
    daemon.wait_for_clean_audit(photos)


def test_named_pipe_is_not_opened(daemon: DaemonProcess, inbox: Path) -> None:
    os.mkfifo(inbox / "x.jpg")
    still_works(daemon, inbox)

    # a writer's open succeeds only while somebody reads
    with pytest.raises(OSError, match="No such device"):
        os.open(inbox / "x.jpg", os.O_WRONLY | os.O_NONBLOCK)


def test_socket_is_ignored(daemon: DaemonProcess, inbox: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(inbox / "x.jpg"))
        still_works(daemon, inbox)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_device_is_not_opened(daemon: DaemonProcess, inbox: Path) -> None:
    os.mknod(inbox / "zero.jpg", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    still_works(daemon, inbox)


def test_folder_named_like_a_photo_is_a_folder(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "x.jpg" / "y.jpg", photo(1))
    daemon.wait_for_classified("x.jpg/y.jpg", photo(1))
    still_works(daemon, inbox, photos=2)


def test_link_to_a_hidden_photo_in_the_inbox_is_followed(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / ".store" / "real.jpg", photo(3))
    (inbox / "relative.jpg").symlink_to(".store/real.jpg")
    (inbox / "absolute.jpg").symlink_to(inbox / ".store" / "real.jpg")

    for name in ("relative.jpg", "absolute.jpg"):
        daemon.wait_for_classified(name, photo(3))
    daemon.wait_for_clean_audit(2)


def test_link_to_a_photo_that_counts_by_itself_is_ignored(daemon: DaemonProcess, inbox: Path) -> None:
    """As of motion's lastsnap.jpg, which links to the newest snapshot."""
    put(inbox / "sub" / "real.jpg", photo(3))
    (inbox / "lastsnap.jpg").symlink_to("sub/real.jpg")
    (inbox / "absolute.jpg").symlink_to(inbox / "sub" / "real.jpg")
    daemon.wait_for_classified("sub/real.jpg", photo(3))
    daemon.wait_for_next_scan()

    assert list(daemon.results_by_name()) == ["sub/real.jpg"]
    daemon.wait_for_clean_audit(1)


def test_link_out_of_the_inbox_is_not_followed(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    secret = put(tmp_path / "secret.jpg", photo(3))
    (tmp_path / "outside").mkdir()
    put(tmp_path / "outside" / "secret.jpg", photo(3))
    (inbox / "direct.jpg").symlink_to(secret)
    (inbox / "up.jpg").symlink_to("../secret.jpg")
    (inbox / "folder").symlink_to(tmp_path / "outside")
    (inbox / "through.jpg").symlink_to("folder/secret.jpg")
    still_works(daemon, inbox)


def test_broken_and_circular_and_device_links_are_ignored(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "nowhere.jpg").symlink_to("missing.jpg")
    (inbox / "self.jpg").symlink_to("self.jpg")
    (inbox / "a.jpg").symlink_to("b.jpg")
    (inbox / "b.jpg").symlink_to("a.jpg")
    (inbox / "loop").symlink_to(".")
    (inbox / "zero.jpg").symlink_to("/dev/zero")
    still_works(daemon, inbox)


def test_link_to_a_later_photo_is_classified(daemon: DaemonProcess, inbox: Path) -> None:
    (inbox / "link.jpg").symlink_to(".later.jpg")
    daemon.wait_for_next_scan()
    put(inbox / ".later.jpg", photo(4))

    daemon.wait_for_classified("link.jpg", photo(4))


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


def test_other_files_fail_as_unsupported(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "text.jpg", b"no photo at all\n" * 100)
    put(inbox / "program.png", Path("/bin/true").read_bytes())
    put(inbox / "vector.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    put(inbox / "paper.pdf", b"%PDF-1.7\n" + b"x" * 1000)
    put(inbox / "eps.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")

    for name in ("text.jpg", "program.png", "vector.svg", "paper.pdf", "eps.jpg"):
        daemon.wait_for_failed(name, "unsupported")


def test_inbox_is_never_modified(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "sub" / "good.jpg", photo(6))
    put(inbox / "bad.jpg", b"bad")
    put(inbox / "cut.jpg", photo(7)[:-3000])
    listing = ["find", str(inbox), "-printf", "%P %i %s %T@ %C@ %m %u\n"]
    before = subprocess.run(listing, capture_output=True, check=True).stdout
    daemon.wait_for_all_answers(3)
    daemon.stop()

    assert subprocess.run(listing, capture_output=True, check=True).stdout == before
