"""`/status` and `/healthz`: the daemon's state and health."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from flask import Response

from dogid import __version__
from dogid.file_names import shown_name
from dogid.learning_run.learning_state import describe_learning
from dogid.ledger import queries
from dogid.ledger.counters import count_damaged_rows
from dogid.shelf.listing import describe_choice
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.responses import json_response, prefers_page
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.older_answers import OlderAnswers
from dogid.web.recent_drift import RecentDrift

STATUS = Endpoint(
    "GET",
    "/status",
    "Counts, queue, model, how the inbox is watched, versions; to browsers, the page",
    {
        200: ResponseSpec(
            "The daemon's state, or the page", {JSON: reference("Status"), "text/html": {"type": "string"}}
        )
    },
)
HEALTH = Endpoint(
    "GET",
    "/healthz",
    "Whether every worker still classifies a reference photo as expected",
    {
        200: ResponseSpec("Healthy", {JSON: reference("Health")}),
        503: ResponseSpec("Unhealthy; the message is the reason", {JSON: reference("Error")}),
    },
)


StatusPage = Callable[[], Response]
"""Returns the page that shows the daemon's state."""


def add_status_endpoints(
    registry: EndpointRegistry, daemon: DaemonView, older_answers: OlderAnswers, drift: RecentDrift, page: StatusPage
) -> None:
    """Add `/status` and `/healthz`; page: what browsers get at the first."""

    def status(params: QueryParams) -> Response:  # noqa: ARG001
        response = page() if prefers_page() else json_response(status_document(daemon, older_answers, drift))
        response.vary.add("Accept")
        return response

    def health(params: QueryParams) -> Response:  # noqa: ARG001
        found = daemon.health
        if not found.ok:
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "unhealthy", found.reason)
        return json_response({"status": "ok", "reason": found.reason, "problem": found.problem})

    registry.add(STATUS, status)
    registry.add(HEALTH, health)


def status_document(daemon: DaemonView, older_answers: OlderAnswers, drift: RecentDrift) -> dict[str, Any]:
    """Return the body of `GET /status`."""
    watch = daemon.watch_status
    counts = queries.count_by_status(daemon.reader())
    aside = daemon.ledger_moved_aside
    choice = describe_choice(daemon.found_model, daemon.model.file)
    return {
        "counts": counts,
        "present": queries.count_present_by_status(daemon.reader()),
        "queue": {"pending": counts["pending"], "in_flight": daemon.in_flight},
        "model": {
            "name": daemon.model.file.name,
            "labels": list(daemon.model.labels),
            "input": asdict(daemon.model.input),
            "warnings": list(daemon.model.warnings),
            "self_test": "passed" if daemon.model.file.golden else "unchecked: the model carries no golden photo",
            **choice,
        },
        "older_answers": older_answers.count(daemon.reader(), daemon.model.file.sha256),
        "drift": drift.read(daemon.reader(), daemon.settings.thresholds).describe(),
        "learning": describe_learning(daemon.state, daemon.settings.learning, choice),
        "name": daemon.settings.daemon_name,
        "outputs": daemon.outputs.states(),
        "inbox": shown_name(os.fsencode(daemon.inbox)),
        "watcher": {
            "mode": watch.mode,
            "reason": watch.reason,
            "last_scan": watch.last_scan,
            "last_scan_seconds": watch.last_scan_seconds,
            "files": watch.files,
            "trouble": watch.problem,
            "links_out": watch.links_out,
        },
        "ledger": {
            "moved_aside": None if aside is None else shown_name(os.fsencode(aside)),
            "salvaged": daemon.salvaged_results,
            "damaged_rows": count_damaged_rows(daemon.reader()),
        },
        "versions": {
            "dogid": __version__,
            "python": platform.python_version(),
            "backend": daemon.model.backend.module,
        },
        "uptime_seconds": round(time.monotonic() - daemon.started, 3),
    }
