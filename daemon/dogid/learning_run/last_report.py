"""The last learning run's report, kept beside the models: for the page and for `GET /learn`."""

import contextlib
import json
from pathlib import Path
from typing import Any

from dogid.clock import Clock, iso_utc
from dogid.learning_run.lock import is_learning
from dogid.shelf.folder import shelf_folder
from dogid.system.atomic_files import write_atomically

_FILE = ".learned.json"
_CONTRADICTIONS = ".contradictions.json"
_RUNNING = "running"


def keep_report(state: Path, document: dict[str, Any]) -> None:
    """Replace the report of the last run; or the error, as `{"error": {"message"}, "at"}`. Raise OSError."""
    write_atomically(shelf_folder(state) / _FILE, json.dumps(document, ensure_ascii=False).encode())
    if (found := document.get("contradictions")) is not None:  # they are asked for also after a run that fails
        write_atomically(shelf_folder(state) / _CONTRADICTIONS, json.dumps(found, ensure_ascii=False).encode())


def read_contradictions(state: Path) -> list[dict[str, Any]]:
    """Return the contradictions that the last run with a report found; none where there was no such run."""
    try:
        found: Any = json.loads((shelf_folder(state) / _CONTRADICTIONS).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def read_report(state: Path) -> dict[str, Any] | None:
    """Return the report of the last run; None where there was none, it is under way, or its report is damaged.

    Of a run that ended without a report, by a kill or a power cut, return that as its error, with `interrupted`.
    """
    document = _read(state)
    if document is None or document.get("state") != _RUNNING:
        return document
    if is_learning(state):
        return None
    document = _read(state)  # the run may have ended in between: its report comes before the end
    if document is None or document.get("state") != _RUNNING:
        return document
    started = document.get("started")
    error = {"message": f"the run that began at {started} was ended before it had a report"}
    return {"error": error, "at": started, "interrupted": True}


def keep_beginning(state: Path) -> None:
    """Replace the report of the run before by the note that one is under way. Raise OSError, without a report then."""
    try:
        keep_report(state, {"state": _RUNNING, "started": iso_utc(Clock().wall_ms())})
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


def _remove(state: Path) -> None:
    """Remove the report of an earlier run, which would pass for that of the last one."""
    with contextlib.suppress(OSError):
        (shelf_folder(state) / _FILE).unlink()
