"""What every kind of output is: it gets deliveries in order, and says which of them the other side has.

A thread of its own runs each output that the settings name: it reads deliveries, has them sent, and notes on the disk
how far it got once `send` has returned. After a fault it waits and sends the same deliveries again, with the same ids.
Kinds are found by entry points of the group `dogid.outputs`, so that other packages can add their own.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dogid.result_document import Result
from dogid.status import Health

ENTRY_POINTS = "dogid.outputs"
"""Group of the entry points: the name is the `type` of an output in the settings, the object a `make_output`."""


class OutputError(Exception):
    """The other side cannot be reached, or asks to wait; the same deliveries are sent again later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds that the other side asks for; None where it does not."""


class RefusedError(OutputError):
    """The other side refuses the first delivery that it was not acknowledged yet; a person must look at the reason.

    It is tried a few times more, then parked: kept with the reason, so that the next ones can pass. A person can have
    what is parked sent again: behind the events that wait, before results and reviews.
    """


class OutputConfigError(Exception):
    """A table of an output has a wrong key or value; the message begins with the key."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for an output."""

    id: str
    """The same whenever it is sent again: what is received twice can be recognised by it."""
    seq: int
    """Number of the change in the ledger."""
    kind: str
    """`result`: a new result; `review`: a person's word on one; `event`: a result that passed a rule."""
    result: Result
    """RESULT, as it is now."""
    at_ms: int
    """When the result came, or the person spoke, in milliseconds since 1970."""
    rule: str | None = None
    """Name of the rule that an event passed."""
    count: int = 1
    """How many photos an event stands for, the best of which is its result."""
    decided_ms: int | None = None
    """When a rule decided on an event, by the times of the results, as at the end of a burst; None: at `at_ms`."""
    is_test: bool = False
    """Sent by `dogid outputs test`."""

    def describe(self) -> dict[str, Any]:
        """Return it as a JSON document: what webhooks, commands and MQTT events send."""
        document = {"id": self.id, "type": self.kind, "at_ms": self.at_ms, "rule": self.rule, "count": self.count}
        return document | {"test": self.is_test, "result": self.result}


@dataclass(frozen=True, slots=True)
class OutputContext:
    """What an output may read of the daemon. Each of the functions may be called from its thread at any time."""

    name: str
    """The output's name in the settings."""
    daemon_name: str
    """The daemon's name in a fleet; the setting `name`."""
    folder: Path
    """A folder of the output's own in the state folder; made when it is first asked to send."""
    inbox: Path
    """Absolute path of the inbox; outputs never write there."""
    page_url: str
    """Address of the daemon's page, for links."""
    read_status: Callable[[], Mapping[str, Any]]
    """Return the document of `/status`."""
    read_health: Callable[[], Health]
    """Return the result of the last health check."""
    reader: Callable[[], sqlite3.Connection]
    """Return the calling thread's own connection to the ledger, for queries."""
    list_labels: Callable[[], Sequence[str]]
    """Return the labels of the model in use."""
    make_thumbnail: Callable[[Result], bytes | None]
    """Return a small JPEG of a result's photo; None where the photo has gone or has changed since."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the output has to end: `send` returns soon then, or raises OutputError, with what it started ended."""
    wake: Callable[[], None] = lambda: None
    """Have `tend` and what waits tried at once, as where a connection is there again; from any thread."""

    def link_to(self, result: Result) -> str:
        """Return the address of a result's page; of the first page for a result that is made up, as in a test."""
        page = self.page_url.rstrip("/")
        return f"{page}/" if result["id"] is None else f"{page}/page/photo/{result['id']}"


class Output(Protocol):
    """One configured output. All methods are called from its own thread.

    While many photos wait to be classified, results and reviews rest nearly all the time, and catch up afterwards;
    events do not. One whose deliveries are not urgent may have `yields_to_photos = True`: they rest while any photo
    waits. One that leaves test messages out, as they would stay in a file, has `takes_tests = False`.
    """

    wants_all: bool
    """Whether it gets every result and review, as they come."""
    wants_events: bool
    """Whether it gets the events of rules that name it; where not, a rule cannot name it.

    Where it wants both, each has a cursor of its own: in a batch the events come first, so that none waits for the end
    of a backlog of results, then results and reviews. These are in the order of seq; events in that in which the rules
    decided on them.
    """
    batch: int
    """How many deliveries it takes at once, at most."""

    def send(self, deliveries: Sequence[Delivery], acknowledged: Callable[[int], None]) -> None:
        """Have all deliveries sent and acknowledged by the other side.

        Call acknowledged(n) whenever the first n of these are known to have arrived: they are not sent again. Raise
        OutputError or RefusedError for the first that is not. Never wait for ever: the daemon's stop waits for it.
        """

    def tend(self) -> float | None:
        """Do what has to be done from time to time, such as keeping a connection; return seconds until the next time.

        It is called after the start, after each batch and when that time is over. None: never again without a batch.
        Raise OutputError where the other side is lost: deliveries wait then as after a fault of `send`.
        """

    def check(self) -> str:
        """Try the other side without sending anything; return what was found, in a few words, or raise OutputError."""

    def close(self) -> None:
        """Release what it holds; called once, also after a fault."""


MakeOutput = Callable[[Mapping[str, Any], OutputContext], Output]
"""What an entry point names: it checks the output's table of the settings and returns the output, without connecting.

Raise OutputConfigError where the table is wrong, or a package for it is missing.
"""
