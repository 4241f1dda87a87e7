"""Thumbnails take little memory, and one decoder."""

import hashlib
import io
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dogid.inbox.read import read_content
from dogid.inbox.scan import find_file
from dogid.ledger.gallery_queries import PhotoFacts
from dogid.web.deadline_executor import BusyError
from dogid.web.pages.thumbnails import TILE, PhotoGoneError, Thumbnails
from tests.support.photos import photo, put

LIMIT = 10_000_000  # bytes of a photo
HANGING = 0.1  # seconds


def long_enough() -> float:
    """Seconds that no picture takes."""
    return 60.0


def answered(inbox: Path, name: str, data: bytes, size: tuple[int, int] = (320, 320)) -> PhotoFacts:
    """Put a photo into the inbox; return what the ledger would know of it."""
    put(inbox / name, data)
    found = find_file(inbox, name.encode())
    assert found is not None
    return PhotoFacts(found.path, found.version, "classified", hashlib.sha256(data).hexdigest(), size, "00", None)


def test_thumbnail_is_cached(inbox: Path) -> None:
    facts = answered(inbox, "a.jpg", photo(1))
    thumbnails = Thumbnails(long_enough)

    assert thumbnails.thumbnail(inbox, facts, TILE, LIMIT) is thumbnails.thumbnail(inbox, facts, TILE, LIMIT)


def test_thumbnail_cache_is_bounded(inbox: Path) -> None:
    all_facts = [answered(inbox, f"{seed}.jpg", photo(seed)) for seed in range(4)]
    sizes = [len(Thumbnails(long_enough).thumbnail(inbox, facts, TILE, LIMIT)) for facts in all_facts]
    thumbnails = Thumbnails(long_enough, cache_bytes=sum(sizes[1:]))
    made = [(facts, thumbnails.thumbnail(inbox, facts, TILE, LIMIT)) for facts in all_facts]

    kept = [thumbnails.thumbnail(inbox, facts, TILE, LIMIT) is before for facts, before in reversed(made)]
    assert kept == [True, True, True, False]


def test_thumbnails_are_made_one_at_a_time(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts, other = answered(inbox, "a.jpg", photo(1)), answered(inbox, "b.jpg", photo(2))
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*args: Any) -> Any:
        begun.set()
        go_on.wait()
        return read_content(*args)

    monkeypatch.setattr("dogid.web.pages.thumbnails.read_content", slowly)
    thumbnails = Thumbnails(long_enough, max_wait=0.05)
    made: list[bytes] = []
    first = threading.Thread(target=lambda: made.append(thumbnails.thumbnail(inbox, facts, TILE, LIMIT)))
    first.start()
    begun.wait()
    with pytest.raises(BusyError):
        thumbnails.thumbnail(inbox, other, TILE, LIMIT)
    go_on.set()
    first.join()
    assert made == [thumbnails.thumbnail(inbox, facts, TILE, LIMIT)]
    assert thumbnails.thumbnail(inbox, other, TILE, LIMIT)


def test_waiting_request_gets_a_picture(inbox: Path) -> None:
    all_facts = [answered(inbox, f"{seed}.jpg", photo(seed)) for seed in range(6)]
    thumbnails = Thumbnails(long_enough, max_wait=60)
    made: list[bytes] = []
    threads = [
        threading.Thread(target=lambda facts=facts: made.append(thumbnails.thumbnail(inbox, facts, TILE, LIMIT)))
        for facts in all_facts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 6


def test_touched_photo_keeps_thumbnail(inbox: Path) -> None:
    facts = answered(inbox, "a.jpg", photo(1))
    thumbnails = Thumbnails(long_enough)
    before = thumbnails.thumbnail(inbox, facts, TILE, LIMIT)
    (inbox / "a.jpg").touch()

    assert thumbnails.thumbnail(inbox, facts, TILE, LIMIT) == before


def test_photo_above_limit_is_not_read(inbox: Path) -> None:
    facts = answered(inbox, "a.jpg", photo(1))
    with pytest.raises(PhotoGoneError):
        Thumbnails(long_enough).thumbnail(inbox, facts, TILE, 1000)


def test_thumbnail_size_is_bounded_both_ways(inbox: Path) -> None:
    for size, expected in (((100, 60), (100, 60)), ((4000, 3), (320, 1)), ((1, 1), (1, 1))):
        facts = answered(inbox, "a.png", photo(1, "PNG", size=size), size)
        data = Thumbnails(long_enough).thumbnail(inbox, facts, TILE, LIMIT)
        assert Image.open(io.BytesIO(data)).size == expected


def test_hanging_read_does_not_block_other_thumbnails(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, other = answered(inbox, "a.jpg", photo(1)), answered(inbox, "b.jpg", photo(2))
    go_on = threading.Event()

    def read(folder: Path, path: bytes, most: int, sha256: str) -> Any:
        if path == b"a.jpg":
            go_on.wait()
        return read_content(folder, path, most, sha256)

    monkeypatch.setattr("dogid.web.pages.thumbnails.read_content", read)
    seconds = [HANGING]
    thumbnails = Thumbnails(lambda: seconds[0])
    with pytest.raises(BusyError):
        thumbnails.thumbnail(inbox, hanging, TILE, LIMIT)
    seconds[0] = 60.0
    assert thumbnails.thumbnail(inbox, other, TILE, LIMIT)
    go_on.set()
    assert thumbnails.thumbnail(inbox, hanging, TILE, LIMIT)


def test_hanging_stat_does_not_block_cached_thumbnail(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = answered(inbox, "a.jpg", photo(1))
    seconds = [60.0]
    thumbnails = Thumbnails(lambda: seconds[0])
    thumbnails.thumbnail(inbox, facts, TILE, LIMIT)
    go_on = threading.Event()
    monkeypatch.setattr("dogid.web.pages.thumbnails.find_file", lambda *_: go_on.wait())
    seconds[0] = HANGING
    with pytest.raises(BusyError):
        thumbnails.thumbnail(inbox, facts, TILE, LIMIT)
    go_on.set()
