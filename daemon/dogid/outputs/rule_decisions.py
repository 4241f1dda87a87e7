"""Which results become events: the rules, applied to one result after the other.

All goes by the results' own times, and by the clock only where nothing is left to read: a daemon that stops and goes on
later decides the same.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dogid.ledger.new_results import NewResult
from dogid.outputs.rule_state import Burst, Frame, RuleState, begin_burst
from dogid.outputs.rules import FAILED, FORCED, NEW, UNSURE, Rule

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
    decided: int
    """When it was decided, by the times of the results, in milliseconds since 1970."""


class RuleDecisions:
    """Applies rules to results."""

    def __init__(self, rules: Sequence[Rule], state: RuleState) -> None:
        self._rules = rules
        self._by_name = {rule.name: rule for rule in rules}
        self._state = state
        self._wanting_new = [rule.name for rule in rules if rule.labels is not None and NEW in rule.labels]

    def consider(self, result: NewResult, model_labels: Collection[str]) -> list[Event]:
        """Return the events that a result brings about: of bursts that are over by its time, and its own.

        model_labels: of the model in use, whose labels go before the words that rules have for others.
        """
        events = self._close_bursts(result.answered_at)
        if result.label is not None:
            self._state.note_label(result.label, self._wanting_new)
        for rule in self._rules:
            if not _is_in_folders(rule, result):
                continue
            passes_by_name = _passes_by_name(rule, result, model_labels)
            if not passes_by_name and not self._passes_as_new(rule, result, model_labels):
                continue
            frame = _as_frame(result, is_new=not passes_by_name)
            if rule.max_age_ms is not None and frame.at - frame.modified > rule.max_age_ms:
                self._state.note_suppressed(rule.name, "max_age")
            elif rule.quiet is not None and rule.quiet.contain(_local_time(frame.at)):
                self._state.note_suppressed(rule.name, "quiet")
            elif rule.burst_ms:
                events += self._join_burst(rule, frame)
            else:
                events += self._decide(rule, frame, frame.at, 1, frame.at)
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
            event
            for burst in self._list_bursts()
            if self._has_ended(burst, moment)
            for event in self._close(burst, moment)
        ]

    def _join_burst(self, rule: Rule, frame: Frame) -> list[Event]:
        """Add a photo to the present burst of its folder, or end that and begin another."""
        burst = self._state.find_burst(rule.name, frame.folder)
        if burst is None:
            self._state.store_burst(begin_burst(rule, frame))
            return []
        near = burst.first - rule.burst_ms <= frame.modified <= burst.last + rule.burst_ms
        if not near or frame.at - burst.opened > _LONGEST_BURST * rule.burst_ms:
            events = self._close(burst, frame.at)
            self._state.store_burst(begin_burst(rule, frame))
            return events
        joined = replace(
            burst,
            best=frame if frame.score > burst.best.score else burst.best,
            first=min(burst.first, frame.modified),
            last=max(burst.last, frame.modified),
            joined=frame.at,
            count=burst.count + 1,
        )
        self._state.store_burst(joined)
        return []

    def _close(self, burst: Burst, moment: int) -> list[Event]:
        """End a burst; after a stop, it ended when no photo had come for long enough, and not only now."""
        self._state.remove_burst(burst)
        rule = self._by_name[burst.rule]
        ended = min(moment, burst.joined + rule.burst_ms)
        return self._decide(rule, burst.best, burst.opened, burst.count, max(ended, burst.joined))

    def _decide(self, rule: Rule, frame: Frame, at: int, count: int, decided: int) -> list[Event]:
        """Return the event of a photo or a burst that began at a moment, unless one came before it."""
        if frame.is_new and not self._state.is_new(rule.name, frame.label):
            self._state.note_suppressed(rule.name, "new")  # by a burst of another folder that was over first
            return []
        if rule.first_of_day or rule.cooldown_ms:
            last, day = self._state.find_last_event(rule.name, frame.folder, frame.label), _local_day(at)
            if last is not None and rule.first_of_day and last[1] == day:
                self._state.note_suppressed(rule.name, "first_of_day")
                return []
            # in both directions: a clock that was set back by a year does not silence a rule for a year
            if last is not None and abs(at - last[0]) < rule.cooldown_ms:
                self._state.note_suppressed(rule.name, "cooldown")
                return []
            self._state.note_event(rule.name, frame.folder, frame.label, at, day)
        if frame.is_new:
            self._state.use_up(rule.name, frame.label)
        return [Event(rule, frame, count, decided)]

    def _passes_as_new(self, rule: Rule, result: NewResult, model_labels: Collection[str]) -> bool:
        label = result.label
        if rule.labels is None or label is None or NEW not in rule.labels or NEW in model_labels:
            return False
        return self._state.is_new(rule.name, label) and _is_sure(rule, result)


def _is_in_folders(rule: Rule, result: NewResult) -> bool:
    patterns = rule.folder_patterns
    return patterns is None or any(fnmatchcase(result.folder, pattern) for pattern in patterns)


def _passes_by_name(rule: Rule, result: NewResult, model_labels: Collection[str]) -> bool:
    """Whether a result is one that the labels of a rule say, other than as a new label."""
    label = result.label
    if label is None:
        return rule.labels is not None and FAILED in rule.labels and FAILED not in model_labels
    if rule.labels is not None:
        if UNSURE in rule.labels and UNSURE not in model_labels and result.unsure:
            return True  # whatever its score: it is low
        if label not in rule.labels and f"{FORCED}{label}" not in rule.labels:
            return False
    return _is_sure(rule, result)


def _is_sure(rule: Rule, result: NewResult) -> bool:
    return not result.unsure if rule.min_score is None else result.score >= rule.min_score


def _as_frame(result: NewResult, *, is_new: bool) -> Frame:
    label = FAILED if result.label is None else result.label
    return Frame(
        result.seq,
        result.result_id,
        result.folder,
        label,
        result.score,
        result.modified,
        result.answered_at,
        is_new,
    )


def _local_time(at_ms: int) -> tuple[int, int]:
    """Return hour and minute of a moment where the machine is."""
    local = time.localtime(at_ms / 1000)
    return local.tm_hour, local.tm_min


def _local_day(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at_ms / 1000))
