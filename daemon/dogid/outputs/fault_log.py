"""What the log says of one output's faults: each cause once, until something arrives again."""

import logging
import re
import sqlite3

from dogid.file_names import one_line
from dogid.outputs.store_file import explain_store_fault

log = logging.getLogger(__name__)

_MOST_ERROR = 300  # characters of an error that are kept
_MOST_CAUSES = 20
"""Of one outage, that are logged. Raising it has an output that fails each time in another way fill the log."""


class FaultLog:
    """Logs the faults of one output, and their end."""

    def __init__(self, output: str, former: str | None) -> None:
        """Set up. former: the fault that the process before has noted last, where it lasted."""
        self._output = output
        self._causes = set[str]() if former is None else {_name_cause(former)}
        """Of faults that were logged since something arrived."""
        self._was_tending = False  # at the last fault: it is over as soon as that is possible again

    @property
    def has_faults(self) -> bool:
        """Whether a fault was logged since something arrived."""
        return bool(self._causes)

    def note_fault(self, message: str, *, is_tending: bool) -> None:
        """Log a fault, unless another one of its cause was. is_tending: whether it came from the output's `tend`."""
        self._was_tending = is_tending
        cause = _name_cause(message)
        if cause not in self._causes and len(self._causes) < _MOST_CAUSES:
            self._causes.add(cause)
            log.warning("output %s does not get through, and is tried again: %s", self._output, message)

    def note_ok(self, *, has_arrived: bool) -> None:
        """Log that nothing fails any more, where something has arrived, or a lost connection is there again."""
        if has_arrived or self._was_tending:
            if self._causes:
                log.info("output %s %s", self._output, "works again" if has_arrived else "is connected again")
            self._causes.clear()


def shorten_error(error: Exception) -> str:
    """Return what is shown of an error, in one line."""
    text = one_line(explain_store_fault(error) if isinstance(error, sqlite3.Error) else str(error))
    text = text or type(error).__name__
    return text if len(text) <= _MOST_ERROR else f"{text[:_MOST_ERROR]}..."


def _name_cause(message: str) -> str:
    """Return what faults of one cause have in common: all but long numbers, as of ports, processes and times."""
    return re.sub(r"\d{4,}", "0", message)
