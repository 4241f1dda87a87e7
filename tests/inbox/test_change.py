"""Photos that are overwritten, replaced, touched or renamed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually


@pytest.fixture
def shared_inbox(shared_daemon: DaemonProcess) -> Path:
    """The inbox of the shared daemon: each test has files of names of its own there."""
    return shared_daemon.inbox


def answers(daemon: DaemonProcess, name: str) -> list[str]:
    """The labels and failures in a photo's history, newest first."""
    steps = daemon.history(daemon.results_by_name()[name])
    return [step["event"] for step in steps if step["event"] in ("classified", "failed")]


def test_overwritten_photo_gets_a_new_result_and_keeps_history(
    shared_daemon: DaemonProcess, shared_inbox: Path
) -> None:
    path = put(shared_inbox / "overwritten.jpg", photo(1))
    first = shared_daemon.wait_for_classified("overwritten.jpg", photo(1))
    path.write_bytes(photo(2))
    second = shared_daemon.wait_for_classified("overwritten.jpg", photo(2))

    assert second["id"] > first["id"]
    shas = [step["sha256"] for step in shared_daemon.history(second) if step["event"] == "classified"]
    assert shas == [second["sha256"], first["sha256"]]
    assert "overwritten.jpg" in shared_daemon.results_by_name()


def test_repeatedly_overwritten_photo_has_the_last_result(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    for number in range(40):
        put(shared_inbox / "often.jpg", photo(number, size=(96, 96)))

    shared_daemon.wait_for_classified("often.jpg", photo(39, size=(96, 96)))
    assert "often.jpg" in shared_daemon.results_by_name()
    shared_daemon.wait_for_clean_audit()


def test_photo_replaced_by_rename_gets_a_new_result(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    put(shared_inbox / "replaced.jpg", photo(3))
    shared_daemon.wait_for_classified("replaced.jpg", photo(3))
    put(shared_inbox / ".replaced.jpg.new", photo(4)).rename(shared_inbox / "replaced.jpg")
    shared_daemon.wait_for_classified("replaced.jpg", photo(4))

    assert answers(shared_daemon, "replaced.jpg") == ["classified", "classified"]
    shared_daemon.wait_for_clean_audit()


def test_photo_renamed_over_another_keeps_its_result(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    put(shared_inbox / "renamed-over.jpg", photo(5))
    new = put(shared_inbox / "renamed.jpg", photo(6))
    shared_daemon.wait_for_classified("renamed-over.jpg", photo(5))
    result = shared_daemon.wait_for_classified("renamed.jpg", photo(6))
    new.rename(shared_inbox / "renamed-over.jpg")

    assert shared_daemon.wait_for_classified("renamed-over.jpg", photo(6))["id"] == result["id"]
    assert "renamed.jpg" not in shared_daemon.results_by_name()
    shared_daemon.wait_for_clean_audit()


def test_touched_photo_keeps_its_result(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    path = put(shared_inbox / "touched.jpg", photo(7))
    first = shared_daemon.wait_for_classified("touched.jpg", photo(7))
    for seconds in (1_000_000_000, 1_100_000_000, 1_200_000_000):
        os.utime(path, (seconds, seconds))
        shared_daemon.wait_for_next_scan()
        shared_daemon.wait_for_clean_audit()

    result = shared_daemon.wait_for_classified("touched.jpg", photo(7))
    assert result["id"] == first["id"]
    assert result["classified_at"] == first["classified_at"]
    assert answers(shared_daemon, "touched.jpg") == ["classified"]


def test_photo_that_was_not_read_is_tried_again_when_touched(make_daemon: MakeDaemon, inbox: Path) -> None:
    path = put(inbox / "large.jpg", photo(7))
    daemon = make_daemon("--max-bytes", "1000").start()
    daemon.wait_for_status("large.jpg", "failed")
    os.utime(path, (1_000_000_000, 1_000_000_000))

    eventually(lambda: answers(daemon, "large.jpg") == ["failed", "failed"], "it was tried again")


def chmod(path: Path) -> None:
    path.chmod(0o600)


def chown(path: Path) -> None:
    os.chown(path, 12345, -1)


def link(path: Path) -> None:
    path.with_name(f".other-name-of-{path.name}").hardlink_to(path)


def move_away_and_back(path: Path) -> None:
    path.rename(path.with_name(".away"))
    path.with_name(".away").rename(path)


@pytest.mark.parametrize("change", [chmod, chown, link, move_away_and_back])
@pytest.mark.parametrize("data", [photo(7), b"no photo"], ids=["photo", "broken"])
def test_changed_status_costs_no_new_result(
    shared_daemon: DaemonProcess, shared_inbox: Path, change: Callable[[Path], None], data: bytes
) -> None:
    name = f"{change.__name__}-{len(data)}.jpg"
    path = put(shared_inbox / name, data)
    shared_daemon.wait_for_answer(name)
    put(shared_inbox / f"after-{name}", photo(8))
    shared_daemon.wait_for_classified(f"after-{name}", photo(8))
    before = shared_daemon.results()
    change(path)
    shared_daemon.wait_for_next_scan()

    eventually(lambda: shared_daemon.results() == before, "all results are as before")
    shared_daemon.wait_for_clean_audit()


def frames() -> tuple[bytes, bytes]:
    """Two photos of the same size in bytes."""
    return photo(1, "BMP"), photo(2, "BMP")


def put_dated(path: Path, data: bytes, mode: str = "wb") -> Path:
    """Write a file with a date as of a camera that has no clock."""
    with path.open(mode) as file:
        file.write(data)
    os.utime(path, (315_532_800, 315_532_800))
    return path


def test_photo_overwritten_with_its_date_kept_is_classified_again(
    shared_daemon: DaemonProcess, shared_inbox: Path
) -> None:
    first, second = frames()
    path = put_dated(shared_inbox / "dated.bmp", first)
    shared_daemon.wait_for_classified("dated.bmp", first)
    put_dated(path, second, "r+b")

    shared_daemon.wait_for_classified("dated.bmp", second)
    shared_daemon.wait_for_clean_audit()


def test_photo_overwritten_during_downtime_with_its_date_kept(daemon: DaemonProcess, inbox: Path) -> None:
    first, second = frames()
    path = put_dated(inbox / "latest.bmp", first)
    daemon.wait_for_classified("latest.bmp", first)
    daemon.stop()
    put_dated(path, second, "r+b")
    assert daemon.audit()["lost"] == ["latest.bmp"]
    daemon.start()

    daemon.wait_for_classified("latest.bmp", second)


@pytest.mark.parametrize("name", ["new.bmp", "former.bmp"])
def test_other_photo_with_inode_size_and_date_of_a_removed_one(daemon: DaemonProcess, inbox: Path, name: str) -> None:
    first, second = frames()
    put(inbox / "stays.jpg", photo(3))
    path = put_dated(inbox / "former.bmp", first)
    inode = path.stat().st_ino
    daemon.wait_for_classified("former.bmp", first)
    path.unlink()
    path = put_dated(inbox / name, second)
    if path.stat().st_ino != inode:
        pytest.skip("this file system gave the file another inode")

    daemon.wait_for_classified(name, second)
    daemon.wait_for_clean_audit(2)


def test_overwritten_photo_with_its_date_kept_that_is_renamed_at_once(
    shared_daemon: DaemonProcess, shared_inbox: Path
) -> None:
    first, second = frames()
    path = put_dated(shared_inbox / "camera.bmp", first)
    shared_daemon.wait_for_classified("camera.bmp", first)
    put_dated(path, second, "r+b").rename(shared_inbox / "camera-0001.bmp")

    shared_daemon.wait_for_classified("camera-0001.bmp", second)
    shared_daemon.wait_for_clean_audit()


def test_photo_with_many_events_is_classified_once(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    path = put(shared_inbox / "noisy.jpg", photo(8, size=(2000, 2000)))
    for _ in range(50):
        with path.open("r+b"):
            pass
        path.chmod(0o644)

    shared_daemon.wait_for_status("noisy.jpg", "classified")
    shared_daemon.wait_for_next_scan()
    assert answers(shared_daemon, "noisy.jpg") == ["classified"]


def test_renamed_photo_keeps_its_result(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    path = put(shared_inbox / "before.jpg", photo(9))
    first = shared_daemon.wait_for_classified("before.jpg", photo(9))
    path.rename(shared_inbox / "after.jpg")

    assert shared_daemon.wait_for_classified("after.jpg", photo(9))["id"] == first["id"]
    assert "before.jpg" not in shared_daemon.results_by_name()
    shared_daemon.wait_for_clean_audit()


def test_why_follows_a_rename(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    path = put(shared_inbox / "asked-before.jpg", photo(9))
    shared_daemon.wait_for_classified("asked-before.jpg", photo(9))
    path.rename(shared_inbox / "asked-after.jpg")
    shared_daemon.wait_for_classified("asked-after.jpg", photo(9))

    assert shared_daemon.command("why", "asked-before.jpg").stdout.startswith("asked-after.jpg: classified")


def test_photo_renamed_during_downtime_keeps_its_result(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "before.jpg", photo(10))
    first = daemon.wait_for_classified("before.jpg", photo(10))
    daemon.stop()
    (inbox / "sub").mkdir()
    path.rename(inbox / "sub" / "after.jpg")
    daemon.start()

    assert daemon.wait_for_classified("sub/after.jpg", photo(10))["id"] == first["id"]
    assert list(daemon.results_by_name()) == ["sub/after.jpg"]


def test_photos_that_rotate_names_keep_their_results(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "latest.jpg", photo(11))
    first = daemon.wait_for_classified("latest.jpg", photo(11))
    daemon.stop()
    (inbox / "latest.jpg").rename(inbox / "0001.jpg")
    put(inbox / "latest.jpg", photo(12))
    daemon.start()

    daemon.wait_for_classified("latest.jpg", photo(12))
    assert daemon.wait_for_classified("0001.jpg", photo(11))["id"] == first["id"]
    assert len(daemon.results()) == 2
    daemon.wait_for_clean_audit(2)


def test_photos_of_a_renamed_folder_keep_their_results(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    for number in range(3):
        put(shared_inbox / "before" / "deep" / f"{number}.jpg", photo(number))
    ids = {shared_daemon.wait_for_classified(f"before/deep/{number}.jpg", photo(number))["id"] for number in range(3)}
    (shared_inbox / "before").rename(shared_inbox / "after")

    assert {
        shared_daemon.wait_for_classified(f"after/deep/{number}.jpg", photo(number))["id"] for number in range(3)
    } == ids
    assert not [name for name in shared_daemon.results_by_name() if name.startswith("before/")]
    put(shared_inbox / "after" / "deep" / "more.jpg", photo(3))
    shared_daemon.wait_for_classified("after/deep/more.jpg", photo(3))
    shared_daemon.wait_for_clean_audit()


def test_identical_photos_are_two_photos(shared_daemon: DaemonProcess, shared_inbox: Path) -> None:
    put(shared_inbox / "one.jpg", photo(16))
    put(shared_inbox / "other.jpg", photo(16))

    assert (
        shared_daemon.wait_for_classified("one.jpg", photo(16))["id"]
        != shared_daemon.wait_for_classified("other.jpg", photo(16))["id"]
    )
    shared_daemon.wait_for_clean_audit()
