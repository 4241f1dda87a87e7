"""What has become of learning in a state folder, for the page, `/status`, `dogid status` and the log."""

import contextlib
import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dogid.clock import iso_utc
from dogid.learning_run.last_report import read_report
from dogid.shelf.folder import path_on_shelf, shelf_folder
from dogid.shelf.open_model import Origin
from dogid.system.atomic_files import write_atomically

ENOUGH_PHOTOS = 20
"""Photos of a new label from which on it is mostly recognised. People are asked for so many; fewer can be learned,
too."""

_FILE = ".rolled_back.json"


def describe_learning(state: Path, mode: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of `/status` and `dogid status`: the setting, the last run, the last unasked rollback after it.

    Each of the two is null where there was none. choice: the model that runs, as `describe_choice` returns it; empty
    where none can be read.
    """
    report, rollback = read_report(state), read_rollback(state)
    last = None
    if report is not None:
        keys = ("name", "sha256", "passed", "activated", "at")
        error = report.get("error")
        summary = _describe_last_run(state, report, choice)
        last = {**{key: report.get(key) for key in keys}, "active": _runs(report, choice), "summary": summary}
        last["passed"], last["activated"] = bool(last["passed"]), bool(last["activated"])
        last["error"] = str(error.get("message")) if isinstance(error, dict) else None
    if rollback is not None and read_moment(rollback["at"]) < read_moment((report or {}).get("at")):
        rollback = None
    return {"mode": mode, "last": last, "rolled_back": rollback}


def describe_run(report: dict[str, Any]) -> str:
    """Return a line about the run of a report, at its end."""
    error, name = report.get("error"), report.get("name")
    if isinstance(error, dict):
        return f"nothing was learned: {error.get('message')}"
    if report.get("activated"):
        return f"learned {name}, which passed the gate and is active now; the former one: dogid model rollback"
    if report.get("passed"):
        return f"learned {name}, which passed the gate; have it classify: dogid model activate {name}"
    return f"learned {name}, which did not pass the gate and is not active; why: on the page Models, or GET /learn"


def _describe_last_run(state: Path, report: dict[str, Any], choice: Mapping[str, Any]) -> str:
    """Return a line about the run of a report, by the model that runs now: people may have activated another since."""
    name, passed = report.get("name"), report.get("passed")
    if _runs(report, choice):
        verdict = "passed the gate and is active now" if passed else "did not pass the gate, and is active all the same"
        is_set = choice.get("origin") == Origin.SET  # there is no rollback from it
        return f"learned {name}, which {verdict}" + ("" if is_set else "; the former one: dogid model rollback")
    if passed and not path_on_shelf(state, str(name)).is_file():
        return f"learned {name}, which passed the gate; it is not active, and no longer on the shelf"
    if report.get("activated"):
        return f"learned {name}, which passed the gate; not active any more; again: dogid model activate {name}"
    return describe_run(report)


def _runs(report: dict[str, Any], choice: Mapping[str, Any]) -> bool:
    """Whether the model of a report is the one that runs."""
    return report.get("sha256") is not None and report["sha256"] == choice.get("sha256")


def describe_rollback(rollback: dict[str, str]) -> str:
    """Return a line about an automatic rollback."""
    return f"{rollback['name']} was worse than the model before, which is active again: {rollback['reason']}"


def note_rollback(state: Path, name: str, sha256: str, reason: str, now_ms: int) -> None:
    """Note that a model was left because it was worse; the log has it, too, where this cannot be written."""
    note = {"name": name, "sha256": sha256, "at": iso_utc(now_ms), "reason": reason}
    with contextlib.suppress(OSError):
        write_atomically(shelf_folder(state) / _FILE, json.dumps(note, ensure_ascii=False).encode())


def read_rollback(state: Path) -> dict[str, str] | None:
    """Return the last automatic rollback: name, sha256, at, reason; None where there was none."""
    try:
        document: Any = json.loads((shelf_folder(state) / _FILE).read_bytes())
        return {key: str(document[key]) for key in ("name", "sha256", "at", "reason")}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def read_moment(moment: object) -> int:
    """Return a moment, ISO 8601, in milliseconds since 1970; 0 where it is none."""
    try:
        return round(dt.datetime.fromisoformat(str(moment)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0
