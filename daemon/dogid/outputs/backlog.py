"""What waits for one output: events that rules have for it, and the changes of the ledger that it has not got yet."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dogid.ledger.queries import find_result, has_due_photos, is_superseded, read_newest_seq
from dogid.ledger.reviews import list_changes_since
from dogid.outputs.output import Delivery
from dogid.outputs.store import OutputStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """How far an output has got."""

    event: int | None
    """Number of the last event; None where there was none."""
    seq: int | None
    """Of the last change of the ledger; None where there was none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The next deliveries, with the position after each of them."""

    deliveries: Sequence[Delivery]
    positions: Sequence[Position]
    end: Position
    """After all of them, and what is left out behind them: results that were forgotten since."""

    def position_after(self, count: int) -> Position:
        """Return the position where the first count deliveries have arrived."""
        return self.end if count >= len(self.deliveries) else self.positions[count - 1]


class Backlog:
    """Reads what waits for an output."""

    def __init__(
        self,
        name: str,
        store: OutputStore,
        reader: Callable[[], sqlite3.Connection],
        *,
        wants_all: bool,
        wants_events: bool,
    ) -> None:
        """Set up for the output of a name; reader returns the calling thread's connection to the ledger."""
        self._name = name
        self._store = store
        self._reader = reader
        self._wants_all = wants_all
        self._wants_events = wants_events

    def start_where_new(self, *, from_start: bool) -> None:
        """Let an output that has no position yet begin with what comes from now on, or with the first result."""
        if self._wants_all and self._store.read_cursor(self._name) is None:
            self._store.set_cursor(0 if from_start else read_newest_seq(self._reader()), self._name)

    def photos_wait(self, most: int) -> bool:
        """Return whether there are more than so many photos that could be classified now."""
        return has_due_photos(self._reader(), most)

    def read_newest_seq(self) -> int:
        """Return the sequence number of the ledger's last change. Raise sqlite3.Error, DogidError."""
        return read_newest_seq(self._reader())

    def read(self, limit: int, *, events_only: bool = False) -> Batch:
        """Return up to limit deliveries: events first, then results and reviews, unless only events are wanted.

        Events whose results the ledger has no more are dropped, and counted. Raise sqlite3.Error.
        """
        db = self._reader()
        deliveries, positions = list[Delivery](), list[Position]()
        missed = list[int]()
        last_event = last_seq = None
        for event in self._store.list_events(self._name, limit):
            last_event = event.number
            if event.kind == "event":
                is_wanted = self._wants_events
            else:  # refused once; a newer result of the file has been sent, or will be
                is_wanted = self._wants_all and not is_superseded(db, event.result_id)
            result = find_result(db, event.result_id) if is_wanted else None
            if result is not None:
                rule = event.rule or None
                deliveries.append(
                    Delivery(
                        event.id,
                        event.seq,
                        event.kind,
                        result,
                        event.at_ms,
                        rule,
                        event.count,
                        decided_ms=event.decided_ms,
                    )
                )
                positions.append(Position(last_event, None))
            elif is_wanted:
                missed.append(event.number)
        if missed:
            count = self._store.drop_missed(self._name, missed)
            log.warning(
                "output %s: events not sent, as the ledger no longer has their results: %d (see keep_versions)",
                self._name, count,
            )  # fmt: skip
        after_events = last_event
        if self._wants_all and not events_only and len(deliveries) < limit:
            seq = self._store.read_cursor(self._name) or 0
            room = limit - len(deliveries)
            newest = read_newest_seq(db)
            changes = list_changes_since(db, seq, room, with_superseded=True) if newest > seq else []
            for change in changes:
                last_seq = change.seq
                if change.result is not None:
                    name = f"{self._store.stream}-{change.seq}"
                    deliveries.append(Delivery(name, change.seq, change.kind, change.result, change.at_ms))
                    positions.append(Position(after_events, last_seq))
            if len(changes) < room and newest > max(seq, last_seq or 0):
                last_seq = newest  # what is between was forgotten since
        return Batch(deliveries, positions, Position(last_event, last_seq))
