"""How a command has a running daemon change its model: a request in the shelf's folder, and its outcome.

The daemon alone changes what is active while it runs. A signal has no arguments and no reply.
"""

import contextlib
import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dogid.shelf.folder import shelf_folder
from dogid.system.atomic_files import write_atomically

_REQUEST, _OUTCOME = ".request-", ".outcome-"  # and the id: each command has files of its own
_ENDING = ".json"
_VALID_SECONDS = 60.0  # after which no command waits for it; longer would have a reload much later change the model
_KEPT_SECONDS = 600.0  # after which no command waits for an outcome; less may take it from one that does
_ID = re.compile("[0-9a-f]+")  # of a request: it becomes a file's name


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for."""

    id: str
    model: str | None
    """Name of the model to activate; None for a rollback."""
    parent: str | None = None
    """SHA-256, in hex, that the active model must have; None for any."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    id: str
    refusal: str | None
    """Why nothing was changed; None where the model was changed."""
    is_usage_error: bool = False
    """Whether the refusal is one of wrong usage or configuration."""


def write_request(state: Path, model: str | None, parent: str | None = None) -> Request:
    """Ask the daemon for a model, or for a rollback where model is None; it reads this at SIGHUP.

    parent: the SHA-256 that the active model must have; None for any. Raise OSError.
    """
    import secrets  # the daemon does not need it

    request = Request(secrets.token_hex(8), model, parent)
    write_atomically(_path(state, _REQUEST, request.id), json.dumps(asdict(request)).encode())
    return request


def take_requests(state: Path) -> list[Request]:
    """Return the requests, the oldest first, and remove them, and outcomes that no command waits for any more."""
    for path in shelf_folder(state).glob(f"{_OUTCOME}*{_ENDING}"):
        with contextlib.suppress(OSError):
            if _age(path) > _KEPT_SECONDS:
                path.unlink()
    taken: list[tuple[float, Request]] = []
    for path in shelf_folder(state).glob(f"{_REQUEST}*{_ENDING}"):
        with contextlib.suppress(OSError, LookupError):
            age, document = _age(path), _read(path)
            path.unlink()
            request = Request(str(document["id"]), document["model"], document.get("parent"))
            is_valid = abs(age) < _VALID_SECONDS and _ID.fullmatch(request.id) is not None
            if is_valid and isinstance(request.model, str | None) and isinstance(request.parent, str | None):
                taken.append((-age, request))
    return [request for _, request in sorted(taken, key=lambda each: each[0])]


def withdraw_request(state: Path, request: Request) -> None:
    """Remove a request that no command waits for any more, and its outcome."""
    for kind in (_REQUEST, _OUTCOME):
        with contextlib.suppress(OSError):
            _path(state, kind, request.id).unlink()


def record_outcome(state: Path, outcome: Outcome) -> None:
    """Let the command that waits know what became of its request. Raise OSError."""
    content = json.dumps(asdict(outcome), ensure_ascii=False).encode()
    write_atomically(_path(state, _OUTCOME, outcome.id), content)


def read_outcome(state: Path, request: Request) -> Outcome | None:
    """Return what became of a request; None as long as that is not known."""
    document = _read(_path(state, _OUTCOME, request.id))
    if document.get("id") != request.id:
        return None
    refusal = document.get("refusal")
    return Outcome(request.id, None if refusal is None else str(refusal), bool(document.get("is_usage_error")))


def _path(state: Path, kind: str, request_id: str) -> Path:
    return shelf_folder(state) / f"{kind}{request_id}{_ENDING}"


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _read(path: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
