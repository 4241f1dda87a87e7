"""What rules remember: labels that were there before, the last events, and bursts that are not over.

Its rows are written in the transaction of the caller, who decides.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dogid.outputs.rules import Rule


@dataclass(frozen=True, slots=True)
class Frame:
    """A result that passed what a rule asks of results one by one. Times in milliseconds since 1970."""

    seq: int
    result_id: int
    folder: str
    label: str
    score: float
    modified: int
    """When its file was last modified."""
    at: int
    """When it was classified."""
    is_new: bool = False
    """Whether it passed as one of a new label."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Photos of one folder, shortly after each other, that become one event. Times in milliseconds since 1970."""

    rule: str
    best: Frame
    first: int
    """Of its photos' times; last: likewise."""
    last: int
    opened: int
    """When its first photo was classified; joined: its last."""
    joined: int
    count: int


class RuleState:
    """The state of all rules in a database; what changes with each photo is in memory until `flush`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: set[str] | None = None
        self._unsent: set[tuple[str, str]] | None = None
        self._bursts: dict[tuple[str, str], Burst] | None = None
        self._changed: set[tuple[str, str]] = set()
        self._suppressed: Counter[tuple[str, str]] = Counter()

    def add_labels(self, labels: Iterable[str]) -> None:
        """Note labels that are not new any more."""
        self._db.executemany("INSERT OR IGNORE INTO known_label VALUES (?)", [(label,) for label in labels])
        self._known = None

    def note_label(self, label: str, rules: Iterable[str]) -> None:
        """Note that a label was answered: the first time, it is new to these rules, until `use_up`."""
        if self._known is None:
            self._known = {known for (known,) in self._db.execute("SELECT label FROM known_label")}
        if label not in self._known:
            self._known.add(label)
            self._db.execute("INSERT INTO known_label VALUES (?)", (label,))
            for rule in rules:
                self._all_unsent().add((rule, label))
                self._db.execute("INSERT OR IGNORE INTO unsent_label VALUES (?, ?)", (rule, label))

    def is_new(self, rule: str, label: str) -> bool:
        """Whether a label came after a rule, and was in no event of it as a new one."""
        return (rule, label) in self._all_unsent()

    def use_up(self, rule: str, label: str) -> None:
        """Note that a label is not new to a rule any more."""
        self._all_unsent().discard((rule, label))
        self._db.execute("DELETE FROM unsent_label WHERE rule = ? AND label = ?", (rule, label))

    def _all_unsent(self) -> set[tuple[str, str]]:
        if self._unsent is None:
            self._unsent = {(rule, label) for rule, label in self._db.execute("SELECT rule, label FROM unsent_label")}
        return self._unsent

    def flush(self) -> None:
        """Write what is in memory alone, before the transaction is committed."""
        for rule, folder in self._changed:
            burst = self._all_bursts().get((rule, folder))
            if burst is None:
                self._db.execute("DELETE FROM open_burst WHERE rule = ? AND folder = ?", (rule, folder))
                continue
            best = burst.best
            self._db.execute(
                "INSERT OR REPLACE INTO open_burst (rule, folder, first, last, opened, joined, count, seq, result_id,"
                " label, score, taken, at, is_new) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (rule, folder, burst.first, burst.last, burst.opened, burst.joined, burst.count, best.seq,
                 best.result_id, best.label, best.score, best.modified, best.at, best.is_new),
            )  # fmt: skip
        self._db.executemany(
            "INSERT INTO suppressed VALUES (?, ?, ?) ON CONFLICT (rule, reason) DO UPDATE SET"
            " count = count + excluded.count",
            [(*key, count) for key, count in self._suppressed.items()],
        )
        self._changed.clear()
        self._suppressed.clear()

    def forget_cached(self) -> None:
        """Read what is in the database anew: what was noted since was not committed."""
        self._known = self._unsent = self._bursts = None
        self._changed.clear()
        self._suppressed.clear()

    def find_last_event(self, rule: str, folder: str, label: str) -> tuple[int, str] | None:
        """Return time and local day of a rule's last event with a label in a folder; None where there was none."""
        query = "SELECT at, day FROM last_event WHERE rule = ? AND folder = ? AND label = ?"
        row = self._db.execute(query, (rule, folder, label)).fetchone()
        return None if row is None else (row[0], row[1])

    def note_event(self, rule: str, folder: str, label: str, at: int, day: str) -> None:
        """Note an event of a rule, its time and its local day."""
        self._db.execute("INSERT OR REPLACE INTO last_event VALUES (?, ?, ?, ?, ?)", (rule, folder, label, at, day))

    def note_suppressed(self, rule: str, reason: str) -> None:
        """Count a result, or a burst, that a rule makes no event of."""
        self._suppressed[rule, reason] += 1

    def count_suppressed(self) -> dict[str, dict[str, int]]:
        """Return how many results and bursts each rule made no event of, by reason."""
        self.flush()
        counts: dict[str, dict[str, int]] = {}
        for rule, reason, count in self._db.execute("SELECT rule, reason, count FROM suppressed ORDER BY rule, reason"):
            counts.setdefault(rule, {})[reason] = count
        return counts

    def find_burst(self, rule: str, folder: str) -> Burst | None:
        """Return the burst of a rule in a folder that is not over; None where there is none."""
        return self._all_bursts().get((rule, folder))

    def list_bursts(self) -> list[Burst]:
        """Return all bursts that are not over, in the order in which they got their last photo."""
        bursts = list(self._all_bursts().values())
        if len(bursts) > 1:
            bursts.sort(key=lambda burst: (burst.joined, burst.rule, burst.best.folder))
        return bursts

    def store_burst(self, burst: Burst) -> None:
        """Keep a burst, in the place of the one before of its rule and folder."""
        key = (burst.rule, burst.best.folder)
        self._all_bursts()[key] = burst
        self._changed.add(key)

    def remove_burst(self, burst: Burst) -> None:
        """Forget a burst that is over."""
        key = (burst.rule, burst.best.folder)
        del self._all_bursts()[key]
        self._changed.add(key)

    def _all_bursts(self) -> dict[tuple[str, str], Burst]:
        if self._bursts is None:
            read = [_as_burst(row) for row in self._db.execute(_BURST)]
            self._bursts = {(burst.rule, burst.best.folder): burst for burst in read}
        return self._bursts


def begin_burst(rule: Rule, frame: Frame) -> Burst:
    """Return a burst of one photo."""
    return Burst(rule.name, frame, frame.modified, frame.modified, frame.at, frame.at, 1)


_BURST = """SELECT rule, seq, result_id, folder, label, score, taken, at, is_new, first, last, opened, joined, count
    FROM open_burst"""


def _as_burst(row: tuple[object, ...]) -> Burst:
    rule, *frame = row[:9]
    return Burst(rule, Frame(*frame), *row[9:])  # type: ignore[arg-type]
