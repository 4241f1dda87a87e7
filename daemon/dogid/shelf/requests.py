"""How a command has a running daemon change its model: a request in the shelf's folder, and its outcome.

The daemon alone changes what is active while it runs. A signal has no arguments and no reply.
"""

import contextlib
import json
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dogid.shelf.folder import shelf_folder
from dogid.system.atomic_files import write_atomically

_REQUEST, _OUTCOME = ".request.json", ".outcome.json"
_VALID_SECONDS = 60.0  # after which nobody waits for it; longer would have a reload much later change the model


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for."""

    id: str
    model: str | None
    """Name of the model to activate; None for a rollback."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    id: str
    refusal: str | None
    """Why nothing was changed; None where the model was changed."""
    is_usage_error: bool = False
    """Whether the refusal is one of wrong usage or configuration."""


def write_request(state: Path, model: str | None) -> Request:
    """Ask the daemon for a model, or for a rollback where model is None; it reads this at SIGHUP. Raise OSError."""
    request = Request(secrets.token_hex(8), model)
    write_atomically(shelf_folder(state) / _REQUEST, json.dumps(asdict(request)).encode())
    return request


def take_request(state: Path) -> Request | None:
    """Return the request and remove it; None where there is none, or nobody waits for it any more."""
    path = shelf_folder(state) / _REQUEST
    try:
        age = time.time() - path.stat().st_mtime
        document = _read(path)
        path.unlink()
        request = Request(str(document["id"]), document["model"])
    except (OSError, LookupError):
        return None
    return request if abs(age) < _VALID_SECONDS and isinstance(request.model, str | None) else None


def withdraw_request(state: Path) -> None:
    """Remove a request that nobody waits for any more."""
    with contextlib.suppress(OSError):
        (shelf_folder(state) / _REQUEST).unlink()


def record_outcome(state: Path, outcome: Outcome) -> None:
    """Let the command that waits know what became of its request. Raise OSError."""
    write_atomically(shelf_folder(state) / _OUTCOME, json.dumps(asdict(outcome), ensure_ascii=False).encode())


def read_outcome(state: Path, request: Request) -> Outcome | None:
    """Return what became of a request; None as long as that is not known."""
    document = _read(shelf_folder(state) / _OUTCOME)
    if document.get("id") != request.id:
        return None
    refusal = document.get("refusal")
    return Outcome(request.id, None if refusal is None else str(refusal), bool(document.get("is_usage_error")))


def _read(path: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
