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


def test_removed_photo_keeps_its_result(shared_daemon: DaemonProcess) -> None:
    path = put(shared_daemon.inbox / "gone.jpg", photo(13))
    first = shared_daemon.wait_for_classified("gone.jpg", photo(13))
    assert first["present"]
    before = shared_daemon.status()
    path.unlink()
    leaves(shared_daemon, "gone.jpg")

    assert shared_daemon.results_by_name()["gone.jpg"] == first | {"present": False}
    assert events(shared_daemon, "gone.jpg") == ["left", "classified", "seen"]
    after = shared_daemon.status()
    assert after["counts"] == before["counts"]
    assert after["present"] == before["present"] | {"classified": before["present"]["classified"] - 1}
    shared_daemon.wait_for_clean_audit()


def test_photo_that_returns_is_present_with_its_result(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    path = put(shared_daemon.inbox / "back.jpg", photo(16))
    first = shared_daemon.wait_for_classified("back.jpg", photo(16))
    path.rename(tmp_path / "away.jpg")
    leaves(shared_daemon, "back.jpg")
    (tmp_path / "away.jpg").rename(path)
    eventually(lambda: shared_daemon.results_by_name()["back.jpg"]["present"], "it is back")

    assert shared_daemon.results_by_name()["back.jpg"] == first
    assert events(shared_daemon, "back.jpg") == ["returned", "left", "classified", "seen"]


def test_copy_of_a_photo_that_left_brings_its_result_back(shared_daemon: DaemonProcess) -> None:
    path = put(shared_daemon.inbox / "copy.jpg", photo(17))
    first = shared_daemon.wait_for_classified("copy.jpg", photo(17))
    path.unlink()
    leaves(shared_daemon, "copy.jpg")
    put(path, photo(17))
    eventually(lambda: shared_daemon.results_by_name()["copy.jpg"]["present"], "it is back")

    assert shared_daemon.wait_for_classified("copy.jpg", photo(17))["id"] == first["id"]


def test_failed_entry_goes_with_its_file(shared_daemon: DaemonProcess) -> None:
    path = put(shared_daemon.inbox / "notes.txt", b"no photo")
    shared_daemon.wait_for_failed("notes.txt", "unsupported")
    path.unlink()

    eventually(lambda: "notes.txt" not in shared_daemon.results_by_name(), "the failure is gone")
    assert shared_daemon.status()["counts"]["failed"] == 0


def test_failed_version_goes_and_the_result_before_it_stays(shared_daemon: DaemonProcess) -> None:
    path = put(shared_daemon.inbox / "latest.jpg", photo(1))
    first = shared_daemon.wait_for_classified("latest.jpg", photo(1))
    path.write_bytes(b"no photo any more")
    shared_daemon.wait_for_failed("latest.jpg", "unsupported")
    path.unlink()
    leaves(shared_daemon, "latest.jpg")

    assert shared_daemon.results_by_name()["latest.jpg"] == first | {"present": False}
    assert shared_daemon.status()["counts"]["failed"] == 0


def test_photos_of_a_removed_folder_have_left(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    put(shared_daemon.inbox / "stays.jpg", photo(1))
    for number in range(3):
        put(shared_daemon.inbox / "sub" / "deep" / f"{number}.jpg", photo(number))
    for name in ("stays.jpg", *(f"sub/deep/{number}.jpg" for number in range(3))):
        shared_daemon.wait_for_answer(name)
    (shared_daemon.inbox / "sub").rename(tmp_path / "away")
    for number in range(3):
        leaves(shared_daemon, f"sub/deep/{number}.jpg")

    assert shared_daemon.results_by_name()["stays.jpg"]["present"]
    assert shared_daemon.results_by_name()["sub/deep/1.jpg"]["folder"] == "sub/deep"


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
