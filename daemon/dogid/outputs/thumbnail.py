"""Small pictures of results' photos, to be sent along."""

import logging
import threading

from dogid.decoding.byte_budget import BudgetTimeoutError
from dogid.errors import PhotoError
from dogid.inbox.read import TemporaryError, read_content
from dogid.ledger.gallery_queries import find_photo_facts
from dogid.outputs.source import OutputSource
from dogid.photo.small_pictures import encode_jpeg, fit_within
from dogid.result_document import Result

log = logging.getLogger(__name__)

_SIDE = 640  # longer side, in pixels: what a phone shows. Higher makes messages larger than some services take
_MAX_WAIT_SECONDS = 5.0  # for memory that photos take: longer delays a message, shorter sends more without a picture


class ThumbnailMaker:
    """Makes pictures, one at a time, of photos that are still in the inbox, unchanged."""

    def __init__(self, source: OutputSource) -> None:
        self._source = source
        self._lock = threading.Lock()

    def make(self, result: Result) -> bytes | None:
        """Return a small JPEG, upright; None where the photo has gone, has changed, or there is no memory for it."""
        source = self._source
        facts = None if result["id"] is None else find_photo_facts(source.reader(), result["id"])
        if facts is None or facts.sha256 is None or facts.size is None:
            return None
        budget = source.decoder.budget
        try:
            with self._lock, budget.file_turn(facts.version.size, _MAX_WAIT_SECONDS), source.track_decoding():
                data = read_content(source.inbox, facts.path, source.max_bytes(), facts.sha256)
                if data is None:
                    return None
                size = fit_within(facts.size, _SIDE)
                return encode_jpeg(source.decoder.decode(data, size, max_wait=_MAX_WAIT_SECONDS).pixels)
        except (PhotoError, TemporaryError, BudgetTimeoutError, OSError) as error:
            log.debug("no picture of result %s: %s", result["id"], error)
            return None
