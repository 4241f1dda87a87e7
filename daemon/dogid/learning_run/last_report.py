"""The last learning run's report, kept beside the models: for the page and for `GET /learn`."""

import contextlib
import json
from pathlib import Path
from typing import Any

from dogid.clock import Clock, iso_utc
from dogid.shelf.folder import shelf_folder
from dogid.system.atomic_files import write_atomically

_FILE = ".learned.json"


def keep_report(state: Path, document: dict[str, Any]) -> None:
    """Replace the report of the last run; or the error, as `{"error": {"message"}, "at"}`. Raise OSError."""
    write_atomically(shelf_folder(state) / _FILE, json.dumps(document, ensure_ascii=False).encode())


def read_report(state: Path) -> dict[str, Any] | None:
    """Return the report of the last run; None where there was none, or it is damaged."""
    try:
        document: Any = json.loads((shelf_folder(state) / _FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def keep_failure(state: Path, message: str) -> None:
    """Replace the report of the last run by the reason why there is none; nothing happens on a full disk."""
    with contextlib.suppress(OSError):
        keep_report(state, {"error": {"message": message}, "at": iso_utc(Clock().wall_ms())})
