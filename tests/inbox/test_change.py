"""Photos that are overwritten, replaced, touched or renamed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeDaemon
from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put


def answers(daemon: DaemonProcess, name: str) -> list[str]:
    """The labels and failures in a photo's history, newest first."""
    steps = daemon.history(daemon.results_by_name()[name])
    return [step["event"] for step in steps if step["event"] in ("classified", "failed")]


def test_overwritten_photo_gets_a_new_result_and_keeps_history(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "latest.jpg", photo(1))
    first = daemon.wait_for_classified("latest.jpg", photo(1))
    path.write_bytes(photo(2))
    second = daemon.wait_for_classified("latest.jpg", photo(2))

    assert second["id"] > first["id"]
    shas = [step["sha256"] for step in daemon.history(second) if step["event"] == "classified"]
    assert shas == [second["sha256"], first["sha256"]]
    assert len(daemon.results()) == 1


def test_repeatedly_overwritten_photo_has_the_last_result(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(40):
        put(inbox / "latest.jpg", photo(number, size=(96, 96)))

    daemon.wait_for_classified("latest.jpg", photo(39, size=(96, 96)))
    assert len(daemon.results()) == 1
    daemon.wait_for_clean_audit(1)


def test_photo_replaced_by_rename_gets_a_new_result(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "latest.jpg", photo(3))
    daemon.wait_for_classified("latest.jpg", photo(3))
    put(inbox / ".latest.jpg.new", photo(4)).rename(inbox / "latest.jpg")
    daemon.wait_for_classified("latest.jpg", photo(4))

    assert answers(daemon, "latest.jpg") == ["classified", "classified"]
    daemon.wait_for_clean_audit(1)


def test_photo_renamed_over_another_keeps_its_result(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "old.jpg", photo(5))
    new = put(inbox / "new.jpg", photo(6))
    daemon.wait_for_classified("old.jpg", photo(5))
    result = daemon.wait_for_classified("new.jpg", photo(6))
    new.rename(inbox / "old.jpg")

    assert daemon.wait_for_classified("old.jpg", photo(6))["id"] == result["id"]
    assert list(daemon.results_by_name()) == ["old.jpg"]
    daemon.wait_for_clean_audit(1)


def test_touched_photo_keeps_its_result(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "touched.jpg", photo(7))
    first = daemon.wait_for_classified("touched.jpg", photo(7))
    for seconds in (1_000_000_000, 1_100_000_000, 1_200_000_000):
        os.utime(path, (seconds, seconds))
        daemon.wait_for_next_scan()
        daemon.wait_for_clean_audit(1)

    result = daemon.wait_for_classified("touched.jpg", photo(7))
    assert result["id"] == first["id"]
    assert result["classified_at"] == first["classified_at"]
    assert answers(daemon, "touched.jpg") == ["classified"]


def test_failed_photo_is_tried_again_when_touched(make_daemon: MakeDaemon, inbox: Path) -> None:
    path = put(inbox / "large.jpg", photo(7))
    daemon = make_daemon("--max-bytes", "1000").start()
    assert "touch the file" in daemon.wait_for_status("large.jpg", "failed")["error"]["message"]
    daemon.stop()
    daemon = make_daemon().start()
    os.utime(path, (1_000_000_000, 1_000_000_000))

    daemon.wait_for_classified("large.jpg", photo(7))


def chmod(path: Path) -> None:
    path.chmod(0o600)


def chown(path: Path) -> None:
    os.chown(path, 12345, -1)


def link(path: Path) -> None:
    path.with_name(".other-name").hardlink_to(path)


def move_away_and_back(path: Path) -> None:
    path.rename(path.with_name(".away"))
    path.with_name(".away").rename(path)


@pytest.mark.parametrize("change", [chmod, chown, link, move_away_and_back])
@pytest.mark.parametrize("data", [photo(7), b"no photo"], ids=["photo", "broken"])
def test_changed_status_costs_no_new_result(
    daemon: DaemonProcess, inbox: Path, change: Callable[[Path], None], data: bytes
) -> None:
    path = put(inbox / "same.jpg", data)
    before = daemon.wait_for_all_answers(1)
    put(inbox / "last.jpg", photo(8))
    last = daemon.wait_for_classified("last.jpg", photo(8))
    change(path)
    daemon.wait_for_next_scan()

    assert daemon.status()["counts"]["pending"] == 0
    assert daemon.results() == [last, *before]
    daemon.wait_for_clean_audit(2)


def frames() -> tuple[bytes, bytes]:
    """Two photos of the same size in bytes."""
    return photo(1, "BMP"), photo(2, "BMP")


def put_dated(path: Path, data: bytes, mode: str = "wb") -> Path:
    """Write a file with a date as of a camera that has no clock."""
    with path.open(mode) as file:
        file.write(data)
    os.utime(path, (315_532_800, 315_532_800))
    return path


def test_photo_overwritten_with_its_date_kept_is_classified_again(daemon: DaemonProcess, inbox: Path) -> None:
    first, second = frames()
    path = put_dated(inbox / "latest.bmp", first)
    daemon.wait_for_classified("latest.bmp", first)
    put_dated(path, second, "r+b")

    daemon.wait_for_classified("latest.bmp", second)
    daemon.wait_for_clean_audit(1)


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


def test_overwritten_photo_with_its_date_kept_that_is_renamed_at_once(daemon: DaemonProcess, inbox: Path) -> None:
    first, second = frames()
    path = put_dated(inbox / "latest.bmp", first)
    daemon.wait_for_classified("latest.bmp", first)
    put_dated(path, second, "r+b").rename(inbox / "0001.bmp")

    daemon.wait_for_classified("0001.bmp", second)
    daemon.wait_for_clean_audit(1)


def test_photo_with_many_events_is_classified_once(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "noisy.jpg", photo(8, size=(3000, 3000)))
    for _ in range(50):
        with path.open("r+b"):
            pass
        path.chmod(0o644)

    daemon.wait_for_status("noisy.jpg", "classified")
    daemon.wait_for_next_scan()
    assert answers(daemon, "noisy.jpg") == ["classified"]


def test_renamed_photo_keeps_its_result(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "before.jpg", photo(9))
    first = daemon.wait_for_classified("before.jpg", photo(9))
    path.rename(inbox / "after.jpg")

    assert daemon.wait_for_classified("after.jpg", photo(9))["id"] == first["id"]
    assert list(daemon.results_by_name()) == ["after.jpg"]
    daemon.wait_for_clean_audit(1)


def test_why_follows_a_rename(daemon: DaemonProcess, inbox: Path) -> None:
    path = put(inbox / "before.jpg", photo(9))
    daemon.wait_for_classified("before.jpg", photo(9))
    path.rename(inbox / "after.jpg")
    daemon.wait_for_classified("after.jpg", photo(9))

    assert daemon.command("why", "before.jpg").stdout.startswith("after.jpg: classified")


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


def test_photos_of_a_renamed_folder_keep_their_results(daemon: DaemonProcess, inbox: Path) -> None:
    for number in range(3):
        put(inbox / "before" / "deep" / f"{number}.jpg", photo(number))
    ids = {daemon.wait_for_classified(f"before/deep/{number}.jpg", photo(number))["id"] for number in range(3)}
    (inbox / "before").rename(inbox / "after")

    assert {daemon.wait_for_classified(f"after/deep/{number}.jpg", photo(number))["id"] for number in range(3)} == ids
    assert len(daemon.results()) == 3
    put(inbox / "after" / "deep" / "more.jpg", photo(3))
    daemon.wait_for_classified("after/deep/more.jpg", photo(3))
    daemon.wait_for_clean_audit(4)


def test_identical_photos_are_two_photos(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "one.jpg", photo(16))
    put(inbox / "other.jpg", photo(16))

    assert (
        daemon.wait_for_classified("one.jpg", photo(16))["id"]
        != daemon.wait_for_classified("other.jpg", photo(16))["id"]
    )
    daemon.wait_for_clean_audit(2)
