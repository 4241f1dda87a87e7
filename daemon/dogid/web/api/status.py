"""`/status` and `/healthz`: how the daemon is doing."""

import os
import platform
import time
from http import HTTPStatus
from typing import Any

from flask import Response

from dogid import __version__
from dogid.daemon.daemon import Daemon
from dogid.file_names import shown_name
from dogid.ledger import queries
from dogid.web.api.endpoint import JSON, Answer, Endpoint, Given, Interface
from dogid.web.api.responses import as_json
from dogid.web.api.schemas import reference
from dogid.web.errors import ApiError

STATUS = Endpoint(
    "GET",
    "/status",
    "Counts, queue, model, how the inbox is watched, versions",
    {200: Answer("The daemon's state", {JSON: reference("Status")})},
)
HEALTH = Endpoint(
    "GET",
    "/healthz",
    "Whether a known photo still gets the right answer from every worker",
    {
        200: Answer("It does", {JSON: reference("Health")}),
        503: Answer("It does not; the message says why", {JSON: reference("Error")}),
    },
)


def add_state(interface: Interface, service: Daemon) -> None:
    """Add both endpoints."""

    def status(given: Given) -> Response:  # noqa: ARG001
        return as_json(status_document(service))

    def health(given: Given) -> Response:  # noqa: ARG001
        found = service.health
        if not found.ok:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "unhealthy", found.reason)
        return as_json({"status": "ok", "reason": found.reason})

    interface.add(STATUS, status)
    interface.add(HEALTH, health)


def status_document(service: Daemon) -> dict[str, Any]:
    """What GET /status answers."""
    watch = service.watch_status
    counts = queries.counts(service.reader())
    aside = service.ledger_moved_aside
    return {
        "counts": counts,
        "queue": {"pending": counts["pending"], "in_flight": service.in_flight},
        "model": {
            "name": service.model.file.name,
            "sha256": service.model.file.sha256,
            "labels": list(service.model.labels),
            "self_test": "passed" if service.model.file.golden else "unchecked: the model carries no golden photo",
        },
        "inbox": shown_name(os.fsencode(service.inbox)),
        "watcher": {
            "mode": watch.mode,
            "reason": watch.reason,
            "last_scan": watch.last_scan,
            "last_scan_seconds": watch.last_scan_seconds,
            "files": watch.files,
            "trouble": watch.trouble,
        },
        "ledger": {"moved_aside": None if aside is None else shown_name(os.fsencode(aside))},
        "versions": {
            "dogid": __version__,
            "python": platform.python_version(),
            "backend": service.model.backend.module,
        },
        "uptime_seconds": round(time.monotonic() - service.started, 3),
    }
