"""A rule: which results become events, and for which outputs. What it remembers is kept by `rule_state`."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from dogid.outputs.output import OutputConfigError
from dogid.outputs.table import OutputTable, read_whole_table

NEW, UNSURE, FAILED = "new", "unsure", "failed"
"""Words that stand for labels in a rule: any label that was never seen before, any answer below its threshold, and
photos that failed, which have no label."""
WORDS = frozenset({NEW, UNSURE, FAILED})
FORCED = "label:"
"""Before a word in a rule's labels: it is meant as a label whatever it is."""

_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,62}")  # it becomes a part of ids and topics
_QUIET = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")
_LONGEST = 366 * 86_400  # seconds
_LONGEST_BURST = 3600  # seconds: an event comes that long after its last photo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of each day, in local time as (hour, minute); over midnight where it begins later than it ends."""

    begin: tuple[int, int]
    end: tuple[int, int]

    def contain(self, moment: tuple[int, int]) -> bool:
        """Whether a time of the day lies in them."""
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


@dataclass(frozen=True, slots=True)
class Rule:
    """One table [[rule]]; None: not limited by that."""

    name: str
    to: tuple[str, ...]
    labels: tuple[str, ...] | None
    min_score: float | None
    """Least score, 0..1; None: the threshold of the label."""
    folders: tuple[str, ...] | None
    """As they are written in the settings."""
    folder_patterns: tuple[str, ...] | None
    """Of these and those below them, as of fnmatch; they match all of a folder's path."""
    first_of_day: bool
    cooldown_ms: int
    quiet: QuietHours | None
    burst_ms: int
    max_age_ms: int | None


class _RuleTable(OutputTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    to: Annotated[tuple[str, ...], Meta(min_length=1)]
    name: str | None = None
    labels: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    min_score: Annotated[float, Meta(ge=0, le=1)] | None = None
    folders: Annotated[tuple[str, ...], Meta(min_length=1)] | None = None
    first_of_day: bool = False
    cooldown: Annotated[float, Meta(ge=0, le=_LONGEST)] = 0
    quiet: str | None = None
    burst: Annotated[float, Meta(ge=0, le=_LONGEST_BURST)] = 0
    max_age: Annotated[float, Meta(ge=0, le=_LONGEST)] | None = None


def read_rule(table: Mapping[str, Any], default_name: str) -> Rule:
    """Check a table [[rule]]. Raise OutputConfigError, which begins with the key."""
    read = read_whole_table(table, _RuleTable)
    name = default_name if read.name is None else read.name
    if not _NAME.fullmatch(name):
        raise OutputConfigError(f"name: {name!r} is not valid: must be letters, digits, - and _, 63 at most")
    return Rule(
        name=name,
        to=tuple(dict.fromkeys(read.to)),
        labels=read.labels,
        min_score=read.min_score,
        folders=read.folders,
        folder_patterns=None if read.folders is None else tuple(itertools.chain(*map(expand_folder, read.folders))),
        first_of_day=read.first_of_day,
        cooldown_ms=round(1000 * read.cooldown),
        quiet=_read_quiet(read.quiet),
        burst_ms=round(1000 * read.burst),
        max_age_ms=None if read.max_age is None else round(1000 * read.max_age),
    )


def expand_folder(pattern: str) -> tuple[str, ...]:
    """Return the patterns of a folder and of those below it: `gate`, `/gate/`, `gate/*` and `gate/**` are the same."""
    folder = pattern.removeprefix("./").strip("/")
    while folder.endswith(("/*", "/**")):
        folder = folder.rpartition("/")[0].rstrip("/")
    if folder in ("", "."):
        return ("",)  # the inbox itself
    below_any = (folder[3:], f"{folder[3:]}/*") if folder.startswith("**/") else ()
    return (folder, f"{folder}/*", *below_any)


def _read_quiet(text: str | None) -> QuietHours | None:
    if text is None:
        return None
    found = _QUIET.fullmatch(text)
    if found is None:
        raise OutputConfigError(f'quiet: {text!r} is not valid: must be two times, as in "22:00-06:00"')
    hour, minute, end_hour, end_minute = map(int, found.groups())
    return QuietHours((hour, minute), (end_hour, end_minute))
