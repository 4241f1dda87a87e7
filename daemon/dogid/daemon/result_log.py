"""Log lines of results, with the fields that the journal indexes."""

import logging
from collections.abc import Sequence

from dogid.file_names import one_line, shown_name
from dogid.ledger.outcomes import Classified, Failed, Outcome, Waiting
from dogid.system.journal import photo_fields

log = logging.getLogger(__name__)


def log_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Log one line for each photo; one that waits is logged at its first attempt only."""
    for outcome in outcomes:
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
            case Waiting() if outcome.job.attempts == 0:
                fields = photo_fields(name, "pending")
                log.info("%s: waits, %s: %s", name, outcome.code, one_line(outcome.message), extra=fields)
