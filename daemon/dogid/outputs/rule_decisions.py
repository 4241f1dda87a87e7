"""Which results become events: the rules, applied to one change of the ledger after the other.

All goes by the results' own times, and by the clock only where nothing is left to read: whoever stops and goes on later
decides the same.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from dogid.ledger.reviews import Change
from dogid.outputs.rule_state import Burst, Frame, RuleState, begin_burst
from dogid.outputs.rules import FORCED, NEW, UNSURE, Rule
from dogid.result_document import Result

_LONGEST_BURST = 10
"""Times the setting `burst`, after which a burst ends though photos still come. Higher, and a camera that never rests
is silent for longer; lower, it sends more."""
_GRACE_MS = 500
"""After a burst's end, for a result of that moment that is being written. Less may make two events of one burst where
the daemon is restarted just then; more delays each event of a burst."""


@dataclass(frozen=True, slots=True)
class Event:
    """What passed a rule."""

    rule: Rule
    frame: Frame
    count: int
    """Photos that it stands for, of which frame is the best."""


class RuleDecisions:
    """Applies rules to changes."""

    def __init__(self, rules: Sequence[Rule], state: RuleState) -> None:
        self._rules = rules
        self._by_name = {rule.name: rule for rule in rules}
        self._state = state

    def consider(self, change: Change, model_labels: Collection[str]) -> list[Event]:
        """Return the events that a change brings about: of bursts that are over by its time, and its own.

        model_labels: of the model in use, whose labels go before the words that rules have for others.
        """
        result = change.result
        if change.kind != "result" or result is None or result["status"] != "classified":
            return []
        events = self._close_bursts(change.at_ms)
        is_new = self._state.note_label(result["label"])
        frame: Frame | None = None
        for rule in self._rules:
            if not _matches(rule, result, model_labels, is_new=is_new):
                continue
            frame = frame or _as_frame(change, result)
            if rule.max_age_ms is not None and frame.at - frame.taken > rule.max_age_ms:
                self._state.note_suppressed(rule.name, "max_age")
            elif rule.quiet is not None and rule.quiet.contain(_local_time(frame.at)):
                self._state.note_suppressed(rule.name, "quiet")
            elif rule.burst_ms:
                events += self._join_burst(rule, frame)
            else:
                events += self._decide(rule, frame, frame.at, 1)
        return events

    def close_bursts_by_clock(self, now_ms: int) -> list[Event]:
        """Return the events of bursts that are over by a moment at which nothing is left to read."""
        return self._close_bursts(now_ms - _GRACE_MS)

    def find_next_end(self) -> int | None:
        """Return when the next burst is over by the clock, in milliseconds since 1970; None where there is none."""
        ends = [burst.joined + self._by_name[burst.rule].burst_ms for burst in self._list_bursts()]
        return min(ends) + _GRACE_MS + 1 if ends else None

    def has_ended_burst(self, now_ms: int) -> bool:
        """Whether `close_bursts_by_clock` would end one."""
        return any(self._has_ended(burst, now_ms - _GRACE_MS) for burst in self._list_bursts())

    def _has_ended(self, burst: Burst, moment: int) -> bool:
        """Whether a burst got no photo for as long as its rule says; also where the clock was set back."""
        return abs(moment - burst.joined) > self._by_name[burst.rule].burst_ms

    def _list_bursts(self) -> list[Burst]:
        return [burst for burst in self._state.list_bursts() if burst.rule in self._by_name]

    def _close_bursts(self, moment: int) -> list[Event]:
        """End the bursts that are over by a moment."""
        return [
            event for burst in self._list_bursts() if self._has_ended(burst, moment) for event in self._close(burst)
        ]

    def _join_burst(self, rule: Rule, frame: Frame) -> list[Event]:
        """Add a photo to the present burst of its folder, or end that and begin another."""
        burst = self._state.find_burst(rule.name, frame.folder)
        if burst is None:
            self._state.store_burst(begin_burst(rule, frame))
            return []
        near = burst.first - rule.burst_ms <= frame.taken <= burst.last + rule.burst_ms
        if not near or frame.at - burst.opened > _LONGEST_BURST * rule.burst_ms:
            events = self._close(burst)
            self._state.store_burst(begin_burst(rule, frame))
            return events
        joined = replace(
            burst,
            best=frame if frame.score > burst.best.score else burst.best,
            first=min(burst.first, frame.taken),
            last=max(burst.last, frame.taken),
            joined=frame.at,
            count=burst.count + 1,
        )
        self._state.store_burst(joined)
        return []

    def _close(self, burst: Burst) -> list[Event]:
        self._state.remove_burst(burst)
        return self._decide(self._by_name[burst.rule], burst.best, burst.opened, burst.count)

    def _decide(self, rule: Rule, frame: Frame, at: int, count: int) -> list[Event]:
        """Return the event of a photo or a burst that began at a moment, unless one came before it."""
        day = _local_day(at)
        if rule.first_of_day or rule.cooldown_ms:
            last = self._state.find_last_event(rule.name, frame.folder, frame.label)
            if last is not None and rule.first_of_day and last[1] == day:
                self._state.note_suppressed(rule.name, "first_of_day")
                return []
            # in both directions: a clock that was set back by a year does not silence a rule for a year
            if last is not None and abs(at - last[0]) < rule.cooldown_ms:
                self._state.note_suppressed(rule.name, "cooldown")
                return []
            self._state.note_event(rule.name, frame.folder, frame.label, at, day)
        return [Event(rule, frame, count)]


def _matches(rule: Rule, result: Result, model_labels: Collection[str], *, is_new: bool) -> bool:
    """Whether a result is one that a rule is about, but for times."""
    if rule.folders is not None and not any(fnmatchcase(result["folder"], pattern) for pattern in rule.folders):
        return False
    if rule.labels is not None:
        if UNSURE in rule.labels and UNSURE not in model_labels and result["unsure"]:
            return True  # whatever its score: it is low
        label = result["label"]
        is_named = label in rule.labels or f"{FORCED}{label}" in rule.labels
        if not is_named and not (is_new and NEW in rule.labels and NEW not in model_labels):
            return False
    return not result["unsure"] if rule.min_score is None else bool(result["score"] >= rule.min_score)


def _as_frame(change: Change, result: Result) -> Frame:
    taken = round(datetime.fromisoformat(result["modified_at"]).timestamp() * 1000)
    return Frame(change.seq, result["id"], result["folder"], result["label"], result["score"], taken, change.at_ms)


def _local_time(at_ms: int) -> tuple[int, int]:
    """Return hour and minute of a moment where the machine is."""
    local = time.localtime(at_ms / 1000)
    return local.tm_hour, local.tm_min


def _local_day(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at_ms / 1000))
