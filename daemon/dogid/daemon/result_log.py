"""Log lines of results, with the fields that the journal indexes."""

import logging
from collections.abc import Sequence

from dogid.errors import PhotoCode
from dogid.file_names import one_line, shown_name
from dogid.ledger.outcomes import Classified, Failed, Outcome, Waiting
from dogid.system.journal import photo_fields

log = logging.getLogger(__name__)


# Of files that have vanished, recorded together. Raising this lets a folder that is renamed or deleted while it is read
# fill the log; lowering it names fewer files.
_MOST_VANISHED = 3


def log_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Log one line for each photo but for many that vanished, of which a line has the number.

    One that waits is logged at its first attempt only; one that waits since it has vanished is not: most have another
    name, or have been deleted, and the rest fail soon.
    """
    vanished = 0
    for outcome in outcomes:
        if isinstance(outcome, Failed) and outcome.code is PhotoCode.VANISHED:
            vanished += 1
            if vanished > _MOST_VANISHED:
                continue
        _log(outcome)
    if vanished > _MOST_VANISHED:
        more = vanished - _MOST_VANISHED
        log.warning("%d more failed, %s: removed or renamed before they could be read", more, PhotoCode.VANISHED)


def _log(outcome: Outcome) -> None:
    name = one_line(shown_name(outcome.job.path))
    match outcome:
        case Classified():
            label, score = next(iter(outcome.scores.items()))
            fields = photo_fields(name, "classified", one_line(label))
            milliseconds = outcome.timings.total
            log.info("%s: %s %.3f (%.1f ms)", name, one_line(label), score, milliseconds, extra=fields)
        case Failed():
            fields = photo_fields(name, "failed")
            log.warning("%s: failed, %s: %s", name, outcome.code, one_line(outcome.message), extra=fields)
        case Waiting() if outcome.job.attempts == 0 and outcome.code is not PhotoCode.VANISHED:
            fields = photo_fields(name, "pending")
            log.info("%s: waits, %s: %s", name, outcome.code, one_line(outcome.message), extra=fields)
