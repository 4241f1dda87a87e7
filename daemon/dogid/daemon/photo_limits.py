"""The limits of a photo's size, of memory and of time: by settings, and higher ones for photos refused before."""

import logging
import sqlite3
from collections.abc import Callable

from dogid.daemon.opening import Opened
from dogid.decoding.byte_budget import ByteBudget, choose_capacity
from dogid.decoding.decoder import Decoder
from dogid.photo.decode import limit_pixels
from dogid.quantities import count_of
from dogid.settings import Settings

log = logging.getLogger(__name__)


def make_decoder(settings: Settings) -> Decoder:
    """Return the decoder of all photos, within the limits that are set."""
    limit_pixels(settings.max_pixels)
    return Decoder(ByteBudget(choose_capacity(settings.memory)), settings.max_pixels, settings.decode_timeout)


def change_limits(decoder: Decoder, settings: Settings) -> None:
    """Have the next photos decoded within the limits of other settings."""
    limit_pixels(settings.max_pixels)
    decoder.budget.change_capacity(choose_capacity(settings.memory))
    decoder.max_pixels, decoder.seconds = settings.max_pixels, settings.decode_timeout


def retry_refused_photos(
    opened: Opened, decoder: Decoder, settings: Settings, on_pending: Callable[[], None]
) -> sqlite3.DatabaseError | None:
    """Have photos tried again that were too large for limits that are higher now; on_pending is called where there are.

    Return why the ledger cannot be written; None where it can.
    """
    limits = {
        "memory": decoder.budget.capacity,
        "max_pixels": settings.max_pixels,
        "max_bytes": settings.max_bytes,
        "decode_timeout": round(settings.decode_timeout * 1000),
    }
    try:
        with opened.ledger_wait:
            retried = opened.ledger.note_limits(limits)
    except sqlite3.DatabaseError as error:  # the disk is full: the next start or reload does it
        log.warning("photos that were too large are not tried again yet: %s", error)
        return error
    if retried:
        log.info("a limit was raised: %s, too large before, tried again", count_of(retried, "photo"))
        on_pending()
    return None
