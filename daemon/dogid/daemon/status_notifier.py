"""Keeps the line that `systemctl status` shows up to date while results come."""

import logging
import threading
from collections.abc import Callable

from dogid.pipeline.result_signal import ResultSignal

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0  # between two lines: more makes the line lag behind, less costs queries during a backlog
_LONGEST_SECONDS = 3600.0


class StatusNotifier:
    """A thread that sends the status line after results, at most once a second."""

    def __init__(self, results: ResultSignal, send: Callable[[], None]) -> None:
        """Set up, without starting the thread, which ends when results are closed."""
        self._results = results
        self._send = send

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="status-line", daemon=True).start()

    def _run(self) -> None:
        known = self._results.number
        while True:
            number = self._results.wait_for_change(known, _LONGEST_SECONDS)
            if self._results.closed:
                return
            if number == known:
                continue
            self._results.wait_until_closed(_PAUSE_SECONDS)
            known = self._results.number
            try:
                self._send()
            except Exception:
                log.debug("the status line cannot be made", exc_info=True)
