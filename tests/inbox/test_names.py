"""File names with unusual characters, encodings and lengths."""

import json
import os
from pathlib import Path

import pytest

from tests.support.daemon import DaemonProcess
from tests.support.photos import photo, put

NAMES = [
    "a line\nbreak.jpg",
    "<script>alert(1)</script>.jpg",
    "<img src=x onerror=alert(1)>.jpg",
    "'; DROP TABLE photo; --.jpg",
    "100%25.jpg",
    "Ünïcödé 狗 🐕.jpg",
    " leading and trailing ",
    "-rf",
    "tab\there.jpg",
    "\x1b[31mred.jpg",
    "back\\slash.jpg",
    'quote".jpg',
    "?query#fragment&amp;.jpg",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_name_with_any_characters_is_kept(shared_daemon: DaemonProcess, name: str) -> None:
    put(shared_daemon.inbox / name, photo(1))

    shared_daemon.wait_for_classified(name, photo(1))
    shared_daemon.wait_for_clean_audit()
    assert shared_daemon.command("why", str(shared_daemon.inbox / name)).returncode == 0


def test_name_that_is_not_utf8_is_percent_encoded(daemon: DaemonProcess, inbox: Path) -> None:
    raw = os.path.join(os.fsencode(inbox), b"caf\xe9.jpg")
    Path(os.fsdecode(raw)).write_bytes(photo(2))
    daemon.wait_for_classified("caf%E9.jpg", photo(2))
    put(inbox / "later.jpg", photo(3))

    daemon.wait_for_classified("later.jpg", photo(3))
    daemon.wait_for_clean_audit(2)
    assert daemon.command("why", "caf%E9.jpg").returncode == 0


def test_names_with_the_same_encoding_are_two_photos(daemon: DaemonProcess, inbox: Path) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(inbox), b"caf\xe9.jpg"))).write_bytes(photo(2))
    put(inbox / "caf%E9.jpg", photo(3))

    results = {result["file"]: result["id"] for result in daemon.wait_for_all_answers(2)}
    assert sorted(results) == ["caf%25E9.jpg", "caf%E9.jpg"]
    daemon.wait_for_clean_audit(2)
    for shown, number in results.items():
        assert json.loads(daemon.command("why", "--json", shown).stdout)["id"] == number


def test_name_as_printed_is_accepted_by_why(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "two\nlines.jpg", photo(4))
    daemon.wait_for_all_answers(1)
    printed = daemon.command("results").stdout.split()[-1]

    assert printed == "two\\nlines.jpg"
    assert daemon.command("why", printed).returncode == 0


def test_longest_names_and_paths_are_classified(daemon: DaemonProcess, inbox: Path) -> None:
    longest = "x" * 251 + ".jpg"
    deep = "/".join(["d" * 100] * 30) + "/deep.jpg"
    put(inbox / longest, photo(4))
    put(inbox / deep, photo(5))

    daemon.wait_for_classified(longest, photo(4))
    daemon.wait_for_classified(deep, photo(5))


def test_path_beyond_path_max_does_not_affect_others(daemon: DaemonProcess, inbox: Path) -> None:
    opened = [os.open(inbox, os.O_RDONLY)]
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=opened[-1])
        opened.append(os.open("d" * 250, os.O_RDONLY, dir_fd=opened[-1]))
    for descriptor in opened:
        os.close(descriptor)
    put(inbox / "near.jpg", photo(6))

    daemon.wait_for_classified("near.jpg", photo(6))
    daemon.wait_for_next_scan()
    put(inbox / "later.jpg", photo(7))
    daemon.wait_for_classified("later.jpg", photo(7))


def test_names_differing_in_case_are_two_photos(daemon: DaemonProcess, inbox: Path) -> None:
    put(inbox / "Photo.jpg", photo(8))
    put(inbox / "photo.JPG", photo(9))

    daemon.wait_for_classified("Photo.jpg", photo(8))
    daemon.wait_for_classified("photo.JPG", photo(9))
