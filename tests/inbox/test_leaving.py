"""Photos that leave the inbox, and some that come back."""

from pathlib import Path

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually


def events(daemon: DaemonProcess, name: str) -> list[str]:
    """The events of a photo's history, newest first."""
    return [step["event"] for step in daemon.history(daemon.results_by_name()[name])]


def leaves(daemon: DaemonProcess, name: str) -> None:
    """Wait until a result is known to be of a file that has left the inbox."""
    eventually(lambda: not daemon.results_by_name()[name]["present"], f"{name} has left")


def test_removed_photo_keeps_its_result(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "gone.jpg", photo(13))
    first = daemon.wait_for_classified("gone.jpg", photo(13))
    assert first["present"]
    path.unlink()
    leaves(daemon, "gone.jpg")

    assert daemon.results_by_name()["gone.jpg"] == first | {"present": False}
    assert events(daemon, "gone.jpg") == ["left", "classified", "seen"]
    assert daemon.status()["counts"] == {"pending": 0, "classified": 1, "failed": 0}
    assert daemon.status()["present"] == {"pending": 0, "classified": 0, "failed": 0}
    daemon.wait_for_clean_audit(0)


def test_photo_that_returns_is_present_with_its_result(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    path = put(inbox / "back.jpg", photo(13))
    first = daemon.wait_for_classified("back.jpg", photo(13))
    path.rename(tmp_path / "away.jpg")
    leaves(daemon, "back.jpg")
    (tmp_path / "away.jpg").rename(path)
    eventually(lambda: daemon.results_by_name()["back.jpg"]["present"], "it is back")

    assert daemon.results_by_name()["back.jpg"] == first
    assert events(daemon, "back.jpg") == ["returned", "left", "classified", "seen"]


def test_copy_of_a_photo_that_left_brings_its_result_back(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "back.jpg", photo(13))
    first = daemon.wait_for_classified("back.jpg", photo(13))
    path.unlink()
    leaves(daemon, "back.jpg")
    put(path, photo(13))
    eventually(lambda: daemon.results_by_name()["back.jpg"]["present"], "it is back")

    assert daemon.wait_for_classified("back.jpg", photo(13))["id"] == first["id"]
    assert daemon.status()["present"]["classified"] == 1


def test_failed_entry_goes_with_its_file(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "notes.txt", b"no photo")
    daemon.wait_for_failed("notes.txt", "unsupported")
    path.unlink()

    eventually(lambda: not daemon.results(), "the failure is gone")
    assert daemon.status()["counts"]["failed"] == 0


def test_failed_version_goes_and_the_result_before_it_stays(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "latest.jpg", photo(1))
    first = daemon.wait_for_classified("latest.jpg", photo(1))
    path.write_bytes(b"no photo any more")
    daemon.wait_for_failed("latest.jpg", "unsupported")
    path.unlink()
    leaves(daemon, "latest.jpg")

    assert daemon.results() == [first | {"present": False}]
    assert daemon.status()["counts"] == {"pending": 0, "classified": 1, "failed": 0}


def test_photos_of_a_removed_folder_have_left(daemon: DaemonProcess, inbox: Path, tmp_path: Path) -> None:
    put(inbox / "stays.jpg", photo(1))
    for number in range(3):
        put(inbox / "sub" / "deep" / f"{number}.jpg", photo(number))
    daemon.wait_for_all_answers(4)
    (inbox / "sub").rename(tmp_path / "away")
    for number in range(3):
        leaves(daemon, f"sub/deep/{number}.jpg")

    assert daemon.results_by_name()["stays.jpg"]["present"]
    assert daemon.results_by_name()["sub/deep/1.jpg"]["folder"] == "sub/deep"


def test_photo_removed_during_downtime_has_left(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "stays.jpg", photo(1))
    path, failed = put(inbox / "gone.jpg", photo(2)), put(inbox / "notes.txt", b"no photo")
    daemon.wait_for_all_answers(3)
    daemon.stop()
    path.unlink()
    failed.unlink()
    daemon.start()
    leaves(daemon, "gone.jpg")

    assert set(daemon.results_by_name()) == {"stays.jpg", "gone.jpg"}


def test_empty_folder_may_be_an_unmounted_disk(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "stays.jpg", photo(1))
    disk = [put(inbox / "disk" / "photo.jpg", photo(2)), put(inbox / "disk" / "notes.txt", b"no photo")]
    before = daemon.wait_for_all_answers(3)
    daemon.stop()
    for path in disk:
        path.rename(inbox.parent / path.name)
    daemon.start()
    daemon.wait_for_next_scan()

    assert daemon.results() == before


def test_photo_removed_before_reading_leaves_no_entry(make_daemon: MakeDaemon, inbox: Path) -> None:
    path = put(inbox / "short.jpg", photo(14)[:-3000])
    daemon = make_daemon("--settle", "600").start()
    daemon.wait_for_pending("short.jpg", "truncated")
    path.unlink()

    eventually(lambda: not daemon.results(), "the entry is gone")
    daemon.wait_for_clean_audit(0)


def test_unfinished_photo_that_returns_is_classified(make_daemon: MakeDaemon, inbox: Path, tmp_path: Path) -> None:
    path = put(inbox / "back.jpg", photo(15)[:-3000])
    daemon = make_daemon("--settle", "600").start()
    daemon.wait_for_pending("back.jpg", "truncated")
    path.rename(tmp_path / "away.jpg")
    eventually(lambda: not daemon.results(), "the entry is gone")
    put(inbox / "back.jpg", photo(15))

    daemon.wait_for_classified("back.jpg", photo(15))
    daemon.wait_for_clean_audit(1)
