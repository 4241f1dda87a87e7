"""The HTTP interface: small views over the ledger and the model."""

import os
import platform
import sqlite3
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from dogid import __version__
from dogid.ledger import queries
from dogid.names import shown_name
from dogid.service import Service
from dogid.web import _interim, pages
from dogid.web.asking import AskedClassifier
from dogid.web.errors import ApiError

MAX_LIMIT = 1000
DEFAULT_LIMIT = 50


def create_app(service: Service) -> Flask:
    """Make the WSGI application for a service."""
    app = Flask("dogid", static_folder=None)
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # names are UTF-8, and read better so
    app.json.sort_keys = False  # type: ignore[attr-defined]  # scores come best first
    asked = AskedClassifier(service)
    pages.register(app, service)
    _interim.register(app, service)

    @app.get("/")
    def index() -> Response:
        if "file" not in request.args:
            return pages.index(service)
        name = _raw_argument("file")
        labels, probabilities = asked.answer(name)
        return jsonify([labels, probabilities])

    @app.get("/results")
    def results() -> Response:
        wanted = _filter()
        found = queries.list_results(service.reader(), wanted)
        following = None
        if len(found) == wanted.limit:
            following = _next_page(wanted, found[-1]["id"])
        return jsonify({"results": found, "next": following})

    @app.get("/results/<int:photo_id>")
    def result(photo_id: int) -> Response:
        found = None
        if photo_id < 1 << 63:
            found = queries.result_with_history(service.reader(), photo_id)
        if found is None:
            raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"there is no result {photo_id}")
        return jsonify(found)

    @app.get("/status")
    def status() -> Response:
        return jsonify(status_document(service))

    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> tuple[Response, int]:
        return _error(error.status, error.code, error.message)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Response, int]:
        code = HTTPStatus(error.code or 500)
        return _error(code, code.phrase.lower().replace(" ", "_"), error.description or code.phrase)

    @app.errorhandler(sqlite3.OperationalError)
    def ledger_error(error: sqlite3.OperationalError) -> tuple[Response, int]:
        return _error(HTTPStatus.SERVICE_UNAVAILABLE, "ledger_unavailable", str(error))

    return app


def status_document(service: Service) -> dict[str, Any]:
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


def _raw_argument(key: str) -> bytes:
    """A query argument's own bytes: file names need not be UTF-8, and Flask would replace what is not."""
    for part in request.query_string.split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == key.encode():
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""


def _filter() -> queries.ResultFilter:
    status = request.args.get("status") or None
    if status is not None and status not in queries.STATUSES:
        choices = ", ".join(queries.STATUSES)
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", f"status must be one of {choices}")
    limit = _whole_number("limit", 1, MAX_LIMIT)
    return queries.ResultFilter(
        limit=DEFAULT_LIMIT if limit is None else limit,
        before=_whole_number("before", 0, (1 << 63) - 1),
        label=request.args.get("label") or None,
        status=status,
    )


def _whole_number(key: str, low: int, high: int) -> int | None:
    text = request.args.get(key)
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
        raise ApiError(HTTPStatus.BAD_REQUEST, "bad_request", f"{key} must be a whole number from {low} to {high}")
    return int(text)


def _next_page(wanted: queries.ResultFilter, last_id: int) -> str:
    arguments = {"before": str(last_id), "limit": str(wanted.limit), "label": wanted.label, "status": wanted.status}
    return "/results?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in arguments.items() if value)


def _error(status: HTTPStatus, code: str, message: str) -> tuple[Response, int]:
    return jsonify({"error": {"code": code, "message": message}}), int(status)
