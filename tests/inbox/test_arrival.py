"""Photos that arrive: copied slowly or in pieces, moved, linked, under temporary names."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put
from tests.support.waiting import eventually

LONG_AGO = 1_000_000_000


def test_slowly_copied_photo_gets_the_right_result(waiting_daemon: DaemonProcess, inbox: Path) -> None:
    data = photo(1)
    with (inbox / "slow.jpg").open("wb", buffering=0) as file:
        step = len(data) // 4
        for at in range(0, len(data), step):
            file.write(data[at : at + step])
            if at + step < len(data):
                waiting_daemon.wait_for_pending("slow.jpg", "truncated")
                waiting_daemon.wait_for_next_scan()

    waiting_daemon.wait_for_classified("slow.jpg", data)
    waiting_daemon.wait_for_clean_audit(1)


def test_writer_that_reopens_the_file_gets_one_result(shared_waiting_daemon: DaemonProcess) -> None:
    data = photo(2)
    path = shared_waiting_daemon.inbox / "scanner.jpg"
    for at in range(0, len(data), len(data) // 3 + 1):
        with path.open("ab") as file:
            file.write(data[at : at + len(data) // 3 + 1])
        if path.stat().st_size < len(data):
            shared_waiting_daemon.wait_for_pending("scanner.jpg", "truncated")

    result = shared_waiting_daemon.wait_for_classified("scanner.jpg", data)
    steps = [step["event"] for step in shared_waiting_daemon.history(result)]
    assert steps.count("classified") == 1
    assert "failed" not in steps


@pytest.mark.parametrize("beginning", [b"no photo yet", photo(9)[:20], photo(9, "TIFF")[:200]])
def test_unreadable_beginning_is_no_failure_while_the_file_is_young(
    shared_waiting_daemon: DaemonProcess, beginning: bytes
) -> None:
    name = f"young-{len(beginning)}.jpg"
    path = put(shared_waiting_daemon.inbox / name, beginning)
    result = shared_waiting_daemon.wait_for_status(name, "pending")
    eventually(lambda: shared_waiting_daemon.results_by_name()[name]["error"], "it was tried")
    path.write_bytes(photo(9))

    assert shared_waiting_daemon.wait_for_classified(name, photo(9))["id"] == result["id"]
    assert "failed" not in [step["event"] for step in shared_waiting_daemon.history(result)]


def test_empty_file_filled_later_is_classified(shared_waiting_daemon: DaemonProcess) -> None:
    path = put(shared_waiting_daemon.inbox / "later.jpg", b"")
    shared_waiting_daemon.wait_for_pending("later.jpg", "empty")
    path.write_bytes(photo(3))

    shared_waiting_daemon.wait_for_classified("later.jpg", photo(3))


def test_failed_empty_file_is_classified_when_filled(
    shared_daemon: DaemonProcess,
) -> None:
    path = put(shared_daemon.inbox / "empty.jpg", b"")
    shared_daemon.wait_for_failed("empty.jpg", "empty")
    path.write_bytes(photo(4))

    shared_daemon.wait_for_classified("empty.jpg", photo(4))


def test_truncated_file_fails_once_unchanged(shared_daemon: DaemonProcess) -> None:
    put(shared_daemon.inbox / "cut.jpg", photo(5)[:-3000])

    shared_daemon.wait_for_failed("cut.jpg", "truncated")


def test_complete_photo_replaces_a_truncated_one(shared_daemon: DaemonProcess) -> None:
    path = put(shared_daemon.inbox / "again.jpg", photo(6)[:-3000])
    failed = shared_daemon.wait_for_failed("again.jpg", "truncated")
    path.write_bytes(photo(6))
    result = shared_daemon.wait_for_classified("again.jpg", photo(6))

    assert result["id"] > failed["id"]
    assert [step["event"] for step in shared_daemon.history(result) if step["event"] in ("failed", "classified")] == [
        "classified",
        "failed",
    ]
    shared_daemon.wait_for_clean_audit()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_preallocated_photo_is_pending_until_its_end_is_written(
    shared_waiting_daemon: DaemonProcess, kind: str
) -> None:
    data = photo(7, kind)
    path = shared_waiting_daemon.inbox / f"reserved-{kind}"
    with path.open("wb", buffering=0) as file:
        file.write(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
        shared_waiting_daemon.wait_for_pending(f"reserved-{kind}", "truncated")
        file.seek(len(data) // 2)
        file.write(data[len(data) // 2 :])

    result = shared_waiting_daemon.wait_for_classified(f"reserved-{kind}", data)
    assert [step["event"] for step in shared_waiting_daemon.history(result)].count("classified") == 1


def test_file_of_zeros_is_pending_until_written(
    shared_waiting_daemon: DaemonProcess,
) -> None:
    data = photo(8)
    path = put(shared_waiting_daemon.inbox / "zeros.jpg", bytes(len(data)))
    shared_waiting_daemon.wait_for_pending("zeros.jpg", "truncated")
    path.write_bytes(data)

    shared_waiting_daemon.wait_for_classified("zeros.jpg", data)


def test_photo_with_an_old_date_is_classified(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    source = put(tmp_path / "old.jpg", photo(9))
    os.utime(source, (LONG_AGO, LONG_AGO))
    shutil.copy2(source, shared_daemon.inbox / "old.jpg")
    result = shared_daemon.wait_for_classified("old.jpg", photo(9))

    assert result["modified_at"] == "2001-09-09T01:46:40.000Z"


def test_photo_with_an_extreme_date_is_classified(shared_daemon: DaemonProcess) -> None:
    for name, seconds in (("before.jpg", -86400), ("ahead.jpg", 15_000_000_000)):
        path = put(shared_daemon.inbox / name, photo(10))
        os.utime(path, (seconds, seconds))

    for name in ("before.jpg", "ahead.jpg"):
        shared_daemon.wait_for_classified(name, photo(10))


def test_photo_moved_in_is_classified(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    put(tmp_path / "moved.jpg", photo(11)).rename(shared_daemon.inbox / "moved.jpg")

    shared_daemon.wait_for_classified("moved.jpg", photo(11))


def test_hard_linked_photo_is_classified_under_each_name(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    source = put(tmp_path / "source.jpg", photo(12))
    for name in ("first.jpg", "second.jpg"):
        os.link(source, shared_daemon.inbox / name)

    assert (
        shared_daemon.wait_for_classified("first.jpg", photo(12))["id"]
        != shared_daemon.wait_for_classified("second.jpg", photo(12))["id"]
    )
    shared_daemon.wait_for_clean_audit()


def test_audit_is_clean_after_removing_one_hard_link(shared_daemon: DaemonProcess) -> None:
    first = put(shared_daemon.inbox / "removed.jpg", photo(13))
    shared_daemon.wait_for_classified("removed.jpg", photo(13))
    os.link(first, shared_daemon.inbox / "kept.jpg")
    shared_daemon.wait_for_classified("kept.jpg", photo(13))
    first.unlink()
    shared_daemon.wait_for_next_scan()

    shared_daemon.wait_for_clean_audit()


def test_photo_written_under_a_temporary_name_counts_once(shared_daemon: DaemonProcess) -> None:
    data = photo(14)
    names = [".photo.jpg.Xa81bQ", "photo.jpg.part", "photo.jpg.filepart", ".syncthing.photo.jpg.tmp"]
    for number, name in enumerate(names):
        path = put(shared_daemon.inbox / name, data)
        shared_daemon.wait_for_next_scan()
        path.rename(shared_daemon.inbox / f"photo{number}.jpg")
        shared_daemon.wait_for_classified(f"photo{number}.jpg", data)

    assert not shared_daemon.results_by_name().keys() & set(names)
    shared_daemon.wait_for_clean_audit()


def test_hidden_and_temporary_files_are_ignored(daemon: DaemonProcess, inbox: Path) -> None:
    data = photo(15)
    for name in ("._a.jpg", ".hidden/a.jpg", "@eaDir/a.jpg/thumb.jpg", "Thumbs.db", "#recycle/a.jpg", "a.jpg~"):
        put(inbox / name, data)
    put(inbox / "a.jpg", data)
    daemon.wait_for_classified("a.jpg", data)
    daemon.wait_for_next_scan()

    assert list(daemon.results_by_name()) == ["a.jpg"]
    daemon.wait_for_clean_audit(1)


@pytest.mark.parametrize("name", ["UPPER.JPG", "wrong.heic", "no_extension", "two.dots.jpeg.txt", "photo.jpg.txt"])
def test_format_is_detected_by_content(shared_daemon: DaemonProcess, name: str) -> None:
    put(shared_daemon.inbox / name, photo(16))

    shared_daemon.wait_for_classified(name, photo(16))


def test_folder_tree_copied_in_is_complete(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    names = [f"{a}/{b}/{c}/{d}.jpg" for a in "ab" for b in "cd" for c in "ef" for d in range(12)]
    for number, name in enumerate(names):
        put(tmp_path / "tree" / name, photo(number % 4, size=(64, 64)))
    shutil.copytree(tmp_path / "tree", shared_daemon.inbox / "copied")

    expected = {f"copied/{name}" for name in names}

    def answered() -> set[str]:
        return {name for name, result in shared_daemon.results_by_name().items() if result["status"] == "classified"}

    eventually(lambda: expected <= answered(), "all are classified")
    shared_daemon.wait_for_clean_audit()


def test_photos_of_a_moved_in_folder_are_classified(shared_daemon: DaemonProcess, tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path / "tree" / "deep" / f"{number}.jpg", photo(number))
    (tmp_path / "tree").rename(shared_daemon.inbox / "tree")

    for number in range(5):
        shared_daemon.wait_for_classified(f"tree/deep/{number}.jpg", photo(number))


def test_file_that_is_never_closed_is_found_by_scans(shared_daemon: DaemonProcess) -> None:
    data = photo(17)
    with (shared_daemon.inbox / "open.jpg").open("wb", buffering=0) as file:
        file.write(data)
        shared_daemon.wait_for_classified("open.jpg", data)
