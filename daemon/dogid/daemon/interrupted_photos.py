"""The photos that were in progress when the daemon died, at the next start."""

import logging

from dogid.ledger.ledger import Ledger
from dogid.pipeline.in_progress import InProgress

log = logging.getLogger(__name__)


def suspect_interrupted_photos(in_progress: InProgress, ledger: Ledger) -> None:
    """Have the photos that were in progress when the daemon died wait for their turn, one after the other."""
    interrupted = in_progress.left_over
    if in_progress.left_requests:  # which rather was the cause: theirs is no photo of the inbox
        log.warning("the daemon died while it decoded a photo of a request (/classify, /?file= or a thumbnail)")
        interrupted = []
    suspects = in_progress.suspects
    ledger.record_interruptions(interrupted, suspects)
    if suspects:
        log.warning(
            "the daemon died, perhaps of one of %d photos; until they are tried there is one worker", len(suspects)
        )
