"""Flags that bound which results are wanted: when they were answered, their score, their folder."""

import argparse
from dataclasses import dataclass
from datetime import datetime

from dogid.clock import iso_utc, parse_moment
from dogid.errors import UsageError
from dogid.file_names import possible_names
from dogid.moments import EXAMPLES, parse_typed_moment
from dogid.quantities import parse_typed_score
from dogid.result_document import Result


@dataclass(frozen=True, slots=True)
class ResultBounds:
    """What the flags ask for, as the fields of `ledger/queries.ResultFilter` with the same names; None: any."""

    since_ms: int | None = None
    until_ms: int | None = None
    min_score: float | None = None
    max_score: float | None = None
    folder: str | None = None

    def to_query(self) -> dict[str, str]:
        """Return parameters of `GET /results`. Moments are exact: the other machine may have another time zone."""
        params = {
            "since": None if self.since_ms is None else iso_utc(self.since_ms),
            "until": None if self.until_ms is None else iso_utc(self.until_ms),
            "min_score": None if self.min_score is None else repr(self.min_score),
            "max_score": None if self.max_score is None else repr(self.max_score),
            "folder": self.folder or None,
        }
        return {name: value for name, value in params.items() if value is not None}

    def allow(self, result: Result) -> bool:
        """Return whether a current result lies within the bounds, as the ledger's queries have it."""
        answered = None if result["classified_at"] is None else parse_moment(result["classified_at"])
        return (
            _is_within(answered, self.since_ms, None if self.until_ms is None else self.until_ms - 1)
            and _is_within(result["score"], self.min_score, self.max_score)
            and (not self.folder or self._holds(result["file"]))
        )

    def _holds(self, file: str) -> bool:
        name = possible_names(file)[0]
        return any(name.startswith(folder.strip(b"/") + b"/") for folder in possible_names(self.folder or ""))


def add_bounds(parser: argparse.ArgumentParser) -> None:
    """Add --since, --until, --min-score, --max-score and --folder."""
    add_moments(parser)
    add_min_score(parser)
    parser.add_argument("--max-score", metavar="F", help="only answers with at most this score")
    parser.add_argument("--folder", metavar="D", help="only photos in this folder of the inbox, and in those below it")


def add_moments(parser: argparse.ArgumentParser) -> None:
    """Add --since and --until."""
    parser.add_argument("--since", metavar="T", help=f"only photos answered since then: {EXAMPLES}")
    parser.add_argument("--until", metavar="T", help="only photos answered before then, or until the end of that day")


def add_min_score(parser: argparse.ArgumentParser) -> None:
    """Add --min-score."""
    parser.add_argument("--min-score", metavar="F", help="only answers with at least this score, 0 to 1")


def read_bounds(args: argparse.Namespace) -> ResultBounds:
    """Return the bounds that the flags ask for; a command need not have all of them. Raise UsageError."""
    since, until = read_moment("--since", args.since), read_moment("--until", args.until, is_end=True)
    if since is not None and until is not None and since >= until:
        raise UsageError(f"--until: {args.until!r} ends before {args.since!r} begins (--since): nothing lies between")
    return ResultBounds(
        since_ms=since,
        until_ms=until,
        min_score=_read_score("--min-score", args.min_score),
        max_score=_read_score("--max-score", getattr(args, "max_score", None)),
        folder=getattr(args, "folder", None),
    )


def read_moment(flag: str, text: str | None, *, is_end: bool = False) -> int | None:
    """Return milliseconds since 1970 of what a person typed after a flag. Raise UsageError."""
    if text is None:
        return None
    try:
        return parse_typed_moment(text, datetime.now().astimezone(), is_end=is_end)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error


def _read_score(flag: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_typed_score(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from error


def _is_within(value: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)
