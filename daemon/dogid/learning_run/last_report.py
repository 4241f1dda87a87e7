"""The last learning run's report, kept beside the models: for the page and for `GET /learn`."""

import contextlib
import json
from pathlib import Path
from types import NoneType
from typing import Any

from dogid.clock import Clock, iso_utc
from dogid.learning_run.lock import is_learning
from dogid.shelf.folder import shelf_folder
from dogid.system.atomic_files import write_atomically

_FILE = ".learned.json"
_CONTRADICTIONS = ".contradictions.json"
_CONTRADICTION: dict[str, tuple[type, ...]] = {
    "sha256": (str,), "name": (str, NoneType), "label": (str,), "other": (str,), "reason": (str,),
}  # fmt: skip
"""What each of the contradictions has, at least."""
_RUNNING = "running"
_STARTING_MS = 30_000
"""In which a process that was started may not have got as far as its lock. Longer says later of a run that ended before
that it did; shorter says so of one that is starting on a busy machine."""


def keep_report(state: Path, document: dict[str, Any]) -> None:
    """Replace the report of the last run; or the error, as `{"error": {"message"}, "at"}`. Raise OSError."""
    write_atomically(shelf_folder(state) / _FILE, json.dumps(document, ensure_ascii=False).encode())
    if (found := document.get("contradictions")) is not None:  # they are asked for also after a run that fails
        write_atomically(shelf_folder(state) / _CONTRADICTIONS, json.dumps(found, ensure_ascii=False).encode())


def read_contradictions(state: Path) -> list[dict[str, Any]]:
    """Return the contradictions that the last run with a report found; none where there was no such run.

    Each has the keys of `_CONTRADICTION`; damaged ones are left out.
    """
    try:
        found: Any = json.loads((shelf_folder(state) / _CONTRADICTIONS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in found if _is_contradiction(one)] if isinstance(found, list) else []


def read_report(state: Path) -> dict[str, Any] | None:
    """Return the report of the last run; None where there was none, it is under way, or its report is damaged.

    Of a run that ended without a report, by a kill or a power cut, return that as its error, with `interrupted`.
    """
    document = _read(state)
    if document is None or document.get("state") != _RUNNING:
        return document
    if is_learning(state) or _is_starting(document):
        return None
    document = _read(state)  # the run may have ended in between: its report comes before the end
    if document is None or document.get("state") != _RUNNING:
        return document
    started = document.get("started")
    error = {"message": f"the run that began at {started} was ended before it had a report"}
    return {"error": error, "at": started, "interrupted": True}


def keep_beginning(state: Path, *, starting: bool = False) -> None:
    """Replace the report of the run before by the note that one is under way. Raise OSError, without a report then.

    starting: whether its process is only about to be started, and has not locked the state folder yet.
    """
    now = Clock().wall_ms()
    note: dict[str, Any] = {"state": _RUNNING, "started": iso_utc(now)}
    try:
        keep_report(state, note | ({"starting_ms": now} if starting else {}))
    except OSError:
        _remove(state)
        raise


def keep_failure(state: Path, message: str) -> None:
    """Replace the report of the last run by the reason why there is none; on a full disk there is no report then."""
    try:
        keep_report(state, {"error": {"message": message}, "at": iso_utc(Clock().wall_ms())})
    except OSError:
        _remove(state)


def _read(state: Path) -> dict[str, Any] | None:
    try:
        document: Any = json.loads((shelf_folder(state) / _FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _is_starting(document: dict[str, Any]) -> bool:
    """Whether a note is of a run whose process may still be on the way to its lock."""
    started = document.get("starting_ms")
    return isinstance(started, int) and 0 <= Clock().wall_ms() - started < _STARTING_MS


def _is_contradiction(one: object) -> bool:
    return isinstance(one, dict) and all(isinstance(one.get(key, ...), kinds) for key, kinds in _CONTRADICTION.items())


def _remove(state: Path) -> None:
    """Remove the report of an earlier run, which would pass for that of the last one."""
    with contextlib.suppress(OSError):
        (shelf_folder(state) / _FILE).unlink()
