"""All outputs of a daemon, as one object: checked, started, reloaded, stopped, and asked how they are doing.

Where the settings name no output, nothing else of this folder is imported.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dogid.outputs.source import OutputSource
from dogid.outputs.store_schema import FILE_NAME
from dogid.settings import Settings

if TYPE_CHECKING:
    from dogid.outputs.opening import OutputOpening
    from dogid.outputs.preparation import PreparedOutputs
    from dogid.outputs.trial_messages import TestOutcome

_RELOAD_SECONDS = 3.0
"""For outputs to end at a reload. Raising it delays a reload where one hangs; lowering it sends more twice."""


class OutputKeeper:
    """The outputs of the present settings."""

    def __init__(self, source: OutputSource) -> None:
        """Set up; nothing is read or started."""
        self._source = source
        self._opening: OutputOpening | None = None
        self.page_url = ""
        """Address of the daemon's page, for links; set before the start."""
        self.read_status: Callable[[], Mapping[str, Any]] = dict
        """Returns the document of `/status`; set before the start."""

    def prepare(self, settings: Settings) -> "PreparedOutputs | None":
        """Check the tables of outputs and rules; return what `start` takes. Raise UsageError with the dotted key."""
        if not settings.outputs and not settings.rule:
            return None
        from dogid.outputs.preparation import ContextSource, prepare_outputs

        return prepare_outputs(settings, ContextSource(self._source, self.page_url, lambda: self.read_status()))

    def start(self, prepared: "PreparedOutputs | None") -> None:
        """Start outputs, in the place of those that run; where their state cannot be opened now, they start later."""
        self.request_stop()
        self.join(time.monotonic() + _RELOAD_SECONDS)
        if prepared is None and not (self._source.state / FILE_NAME).exists():
            return
        from dogid.outputs.opening import OutputOpening

        self._opening = OutputOpening(prepared, self._source)
        self._opening.start()

    def request_stop(self) -> None:
        """Have all outputs end after what they are sending."""
        if self._opening is not None:
            self._opening.request_stop()

    def join(self, deadline: float) -> None:
        """Wait until deadline (a `time.monotonic()`) for outputs to end, then leave those that hang."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.join(deadline)

    def states(self) -> list[dict[str, Any]]:
        """Return how each output is doing, in the order of the settings, ready for JSON."""
        opening = self._opening
        return [] if opening is None else opening.describe()

    def change_refused(self, action: str, output: str) -> "TestOutcome":
        """Send again what an output refused (RETRY), or forget it (DISCARD); return what became of that."""
        from dogid.outputs.trial_messages import refuse_request

        if self._opening is None or self._opening.running is None:
            return refuse_request(output, self._source.state)
        return self._opening.running.change_refused(action, output)

    def answer_requests(self) -> bool:
        """Do what commands ask for, such as to send a test message; return whether one asks."""
        if self._opening is not None and self._opening.running is not None:
            return self._opening.running.answer_requests()
        if not (self._source.state / FILE_NAME).exists():
            return False
        from dogid.outputs.trial_messages import refuse_all

        return refuse_all(self._source.state, self._source.clock)
