"""Thumbnails of photos in the inbox, made on demand.

A few are cached in memory: a cache on disk would wear SD cards, and keep pictures of photos that their owner has
deleted. Making one costs as much as classifying a photo.
"""

import contextlib
import io
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from PIL import Image

from dogid.errors import PhotoError
from dogid.inbox.read import TemporaryError, read_content
from dogid.inbox.scan import find_file
from dogid.ledger.gallery_queries import PhotoFacts
from dogid.photo.decode import decode
from dogid.photo.pixels import DecodedPhoto, Pixels
from dogid.photo.small_pictures import encode_jpeg, fit_within
from dogid.web.deadline_executor import DeadlineExecutor

TILE, LARGE = 320, 960
"""The longer side of a thumbnail, in pixels: in the list, and on a photo's own page."""

_CACHE_BYTES = 4 << 20
"""Some three hundred tiles; a smaller cache has the pictures of a page made again for each visitor."""
_MAX_WAIT_SECONDS = 0.5
"""How long a request waits while another picture is made: longer keeps threads of the server from other requests,
shorter has browsers ask more often."""
_STAT_SECONDS = 2.0
"""For the size and times of a file: a disk that has to spin up may need a second; one that hangs is noticed later."""
Decode = Callable[[bytes, tuple[int, int]], DecodedPhoto]
FileTurn = Callable[[int], AbstractContextManager[None]]


class PhotoGoneError(Exception):
    """The photo of a result is not in the inbox any more, has changed, or was never readable."""


class Thumbnails:
    """Makes pictures one at a time, so that visitors leave memory and processor to the workers."""

    def __init__(
        self,
        timeout: Callable[[], float],
        cache_bytes: int = _CACHE_BYTES,
        max_wait: float = _MAX_WAIT_SECONDS,
        decode: Decode = decode,
        file_turn: FileTurn = lambda _: contextlib.nullcontext(),
    ) -> None:
        """Set up.

        timeout: returns the seconds that a picture may take now.
        cache_bytes: pictures that are kept in memory.
        max_wait: seconds that a request waits while another picture is made.
        decode: given a photo's bytes and (width, height), decodes it, or raises BusyError.
        file_turn: given a file's size in bytes, returns the context in which its bytes may be in memory, which raises
            BusyError where others have theirs there for too long.
        """
        self._timeout = timeout
        self._decode = decode
        self._file_turn = file_turn
        self._making = DeadlineExecutor("make picture", max_wait=max_wait)
        self._checking = DeadlineExecutor("check file", max_wait=max_wait)
        self._cache = _Cache(cache_bytes)

    def thumbnail(self, inbox: Path, facts: PhotoFacts, side: int, max_bytes: int) -> bytes:
        """Return a JPEG of a result's photo, upright.

        inbox: the folder that facts.path is relative to.
        side: largest length of the longer side, in pixels.
        max_bytes: larger files are not read.
        Raise PhotoGoneError, BusyError.
        """
        if facts.sha256 is None or facts.size is None:
            raise PhotoGoneError
        key = (facts.sha256, side)
        if (cached := self._cache.get(key)) is not None and self.is_unchanged(inbox, facts):
            return cached
        size = fit_within(facts.size, side)
        made = self._making.run(lambda: encode_jpeg(self._read(inbox, facts, size, max_bytes)), self._timeout())
        self._cache.put(key, made)
        return made

    def model_input(self, inbox: Path, facts: PhotoFacts, size: tuple[int, int], max_bytes: int) -> bytes:
        """Return a PNG of the exact input that a model gets for a result's photo.

        size: (width, height) of the model's input. Others: see thumbnail. Raise PhotoGoneError, BusyError.
        """
        return self._making.run(lambda: _encode_png(self._read(inbox, facts, size, max_bytes)), self._timeout())

    def original(self, inbox: Path, facts: PhotoFacts, max_bytes: int) -> bytes:
        """Return the bytes of a result's photo. Others: see thumbnail. Raise PhotoGoneError, BusyError."""
        return self._making.run(lambda: self._read_bytes(inbox, facts, max_bytes), self._timeout())

    def is_unchanged(self, inbox: Path, facts: PhotoFacts) -> bool:
        """Return whether a result's file is in the inbox and the same as when it was classified. Raise BusyError."""
        found = self._checking.run(lambda: find_file(inbox, facts.path), min(_STAT_SECONDS, self._timeout()))
        return found is not None and found.version.has_same_stat(facts.version)

    def _read(self, inbox: Path, facts: PhotoFacts, size: tuple[int, int], max_bytes: int) -> Pixels:
        try:
            with self._file_turn(facts.version.size):
                return self._decode(_read_unchanged(inbox, facts, max_bytes), size).pixels
        except PhotoError as error:
            raise PhotoGoneError from error

    def _read_bytes(self, inbox: Path, facts: PhotoFacts, max_bytes: int) -> bytes:
        with self._file_turn(facts.version.size):
            return _read_unchanged(inbox, facts, max_bytes)


def _read_unchanged(inbox: Path, facts: PhotoFacts, max_bytes: int) -> bytes:
    """Return the bytes that a result is about. Raise PhotoGoneError where the file has others, or cannot be read."""
    try:
        data = None if facts.sha256 is None else read_content(inbox, facts.path, max_bytes, facts.sha256)
    except (PhotoError, TemporaryError) as error:
        raise PhotoGoneError from error
    if data is None:
        raise PhotoGoneError
    return data


def _encode_png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "PNG", compress_level=3)
    return stream.getvalue()


class _Cache:
    """The pictures used last, up to a number of bytes in all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._pictures: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int]) -> bytes | None:
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def put(self, key: tuple[str, int], picture: bytes) -> None:
        with self._lock:
            self._bytes += len(picture) - len(self._pictures.pop(key, b""))
            self._pictures[key] = picture
            while self._bytes > self._max_bytes:
                _, dropped = self._pictures.popitem(last=False)
                self._bytes -= len(dropped)
