"""A photo that kills whoever decodes it must not take the others with it, start after start."""

import os
import struct
from pathlib import Path

from dogid.inhand import InHand
from tests.conftest import MakeDaemon
from tests.support.daemon import Daemon, environment
from tests.support.photos import photo, put

WORD = b"a photo that kills the decoder"
DEADLY = str(Path(__file__).parent / "deadly")


def started_until_it_lives(daemon: Daemon, deadly: str) -> int:
    """Start the daemon as a service manager does, again and again; return how often it died of the photo."""
    deaths = 0
    while True:
        daemon.launch()
        if daemon.lives_until(lambda: daemon.by_name().get(deadly, {}).get("status") == "failed"):
            return deaths
        deaths += 1
        assert deaths < 10


def test_a_photo_that_kills_the_daemon_fails_after_three_deaths_and_the_others_are_answered(
    make_daemon: MakeDaemon, inbox: Path
) -> None:
    for number in range(5):
        put(inbox / f"{number}.jpg", photo(number))
    put(inbox / "deadly.jpg", photo(9) + WORD)
    path = os.pathsep.join([DEADLY, environment()["PYTHONPATH"]])
    daemon = make_daemon(environ={"PYTHONPATH": path})

    assert started_until_it_lives(daemon, "deadly.jpg") == 3

    for number in range(5):
        daemon.answered(f"{number}.jpg")
    result = daemon.failed("deadly.jpg", "corrupt")
    assert "died 3 times" in result["error"]["message"]
    history = daemon.get(f"/results/{result['id']}")["history"]
    assert [step["event"] for step in history].count("interrupted") == 3
    put(inbox / "deadly.jpg", photo(9))
    daemon.answered("deadly.jpg")


def test_a_photo_in_hand_at_a_single_death_is_taken_up_again(tmp_path: Path) -> None:
    before = InHand(tmp_path)
    with before.holding(7), before.holding(8):
        assert InHand(tmp_path).left_behind == [7, 8]
    assert InHand(tmp_path).left_behind == []


def test_a_process_that_stops_leaves_nothing_in_hand(tmp_path: Path) -> None:
    before = InHand(tmp_path)
    with before.holding(7):
        before.clear()
        assert InHand(tmp_path).left_behind == []


def test_rubbish_in_the_file_is_no_photo(tmp_path: Path) -> None:
    (tmp_path / "in-hand").write_bytes(struct.pack("<qq", -5, 0) + b"odd")
    assert InHand(tmp_path).left_behind == []
