"""A photo that kills the process that decodes it does not keep the others from being classified."""

import os
import struct
from pathlib import Path

from dogid.pipeline.in_progress import InProgress
from tests.conftest import MakeDaemon
from tests.support.daemon import ROOT, DaemonProcess, environment
from tests.support.photos import photo, put

WORD = b"a photo that kills the decoder"
DEADLY = str(ROOT / "tests" / "support" / "harmful")


def start_until_it_lives(daemon: DaemonProcess, deadly: str) -> int:
    """Start the daemon as a service manager does, again and again; return how often it died of the photo."""
    deaths = 0
    while True:
        daemon.launch()
        if daemon.lives_until(lambda: daemon.results_by_name().get(deadly, {}).get("status") == "failed"):
            return deaths
        deaths += 1
        assert deaths < 10


def test_deadly_photo_fails_and_those_beside_it_are_answered(make_daemon: MakeDaemon, inbox: Path) -> None:
    slow = photo(1, "PNG", size=(2400, 1800))  # so that they are in progress when the daemon dies
    for number in range(3):
        put(inbox / f"slow-{number}.png", slow + bytes([number]))
    put(inbox / "deadly.jpg", photo(9) + WORD)
    for number in range(3, 6):
        put(inbox / f"slow-{number}.png", slow + bytes([number]))
    path = os.pathsep.join([DEADLY, environment()["PYTHONPATH"]])
    daemon = make_daemon("--workers", "4", environ={"PYTHONPATH": path})

    assert start_until_it_lives(daemon, "deadly.jpg") == 1

    for number in range(6):
        daemon.wait_for_answer(f"slow-{number}.png")
    result = daemon.wait_for_failed("deadly.jpg", "corrupt")
    assert "decoding it kills the process (Segmentation fault)" in result["error"]["message"]
    daemon.wait_for_log("deadly.jpg: failed, corrupt: decoding it kills")
    history = daemon.get(f"/results/{result['id']}")["history"]
    assert [step["event"] for step in history].count("interrupted") == 1
    put(inbox / "deadly.jpg", photo(9))
    daemon.wait_for_answer("deadly.jpg")


def test_photos_in_progress_are_left_over_after_one_death(tmp_path: Path) -> None:
    before = InProgress(tmp_path)
    with before.track(7), before.track(8):
        assert InProgress(tmp_path).left_over == [7, 8]
    assert InProgress(tmp_path).left_over == []


def test_suspects_are_kept_over_starts_until_they_have_a_result(tmp_path: Path) -> None:
    before = InProgress(tmp_path)
    with before.track(7), before.track(8):
        after = InProgress(tmp_path)
    after.clear()

    again = InProgress(tmp_path)
    assert set(again.untried) == {7, 8}
    again.acquit([7])
    again.note_tried(8)
    assert not again.untried
    assert list(InProgress(tmp_path).suspects) == [8]


def test_photo_of_a_request_is_left_over_without_an_id(tmp_path: Path) -> None:
    before = InProgress(tmp_path)
    with before.track_request(), before.track(7):
        after = InProgress(tmp_path)
    assert (after.left_over, after.left_requests) == ([7], 1)


def test_stopped_process_leaves_no_photo_over(tmp_path: Path) -> None:
    before = InProgress(tmp_path)
    with before.track(7):
        before.clear()
        assert InProgress(tmp_path).left_over == []


def test_garbage_in_the_file_is_no_photo(tmp_path: Path) -> None:
    (tmp_path / "in-hand").write_bytes(struct.pack("<qq", -5, 0) + b"odd")
    assert InProgress(tmp_path).left_over == []
