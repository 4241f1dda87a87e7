"""The WSGI application: the interface's endpoints behind the door."""

import sqlite3
from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from dogid.errors import DogidError
from dogid.web import pages
from dogid.web.api.classify_file import FileClassifier
from dogid.web.api.classify_upload import add_sending
from dogid.web.api.endpoint import JSON, Answer, Endpoint, Given, Interface, Parameter
from dogid.web.api.events import ExtraThread, add_events
from dogid.web.api.metrics import add_metrics
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.api.openapi import openapi_document
from dogid.web.api.responses import as_json, pack
from dogid.web.api.results import add_listing
from dogid.web.api.schemas import reference
from dogid.web.api.status import add_state
from dogid.web.auth.access import Access
from dogid.web.auth.middleware import guard
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError, error_document

_ERROR = {JSON: reference("Error")}

ROOT = Endpoint(
    "GET",
    "/",
    "With `file`: labels and probabilities of a photo in the inbox. Without: the page for people",
    {
        200: Answer("The answer, or the page", {JSON: reference("Answer"), "text/html": {"type": "string"}}),
        403: Answer("The file lies outside the inbox", _ERROR),
        404: Answer("There is no such file", _ERROR),
        422: Answer("The file is no photo that can be read; the code says why", _ERROR),
    },
    parameters=(Parameter("file", "a path inside the inbox"),),
)
OPENAPI = Endpoint("GET", "/openapi.json", "This document", {200: Answer("OpenAPI 3.1", {JSON: {"type": "object"}})})


def create_app(daemon: DaemonView, access: Access, extra_thread: ExtraThread) -> Flask:
    """Make the WSGI application for a daemon."""
    app = Flask("dogid", static_folder=None)
    app.after_request(pack)
    guard(app, access)
    interface = Interface(app)
    classifier = OnDemandClassifier(daemon)
    files = FileClassifier(daemon, classifier)

    def root(given: Given) -> AnyResponse:  # noqa: ARG001
        return files.classify() if "file" in request.args else pages.index()

    def openapi(given: Given) -> AnyResponse:  # noqa: ARG001
        return as_json(openapi_document(interface.endpoints))

    interface.add(ROOT, root)
    add_listing(interface, daemon)
    add_sending(interface, daemon, classifier)
    add_state(interface, daemon)
    add_metrics(interface, daemon)
    add_events(interface, daemon, extra_thread)
    interface.add(OPENAPI, openapi)
    pages.register(app, daemon)
    _answer_errors(app)
    return app


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> Response:
        response = as_json(error_document(error.code, error.message), error.status)
        response.headers.extend(error.headers)
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        code = "too_large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else status.phrase.lower().replace(" ", "_")
        response = as_json(error_document(code, error.description or status.phrase), status)
        for name, value in error.get_headers():
            if name.lower() in ("allow", "location", "retry-after"):
                response.headers[name] = value
        return response

    @app.errorhandler(DogidError)
    @app.errorhandler(sqlite3.DatabaseError)
    def ledger_error(error: DogidError | sqlite3.DatabaseError) -> Response:
        return as_json(error_document("ledger_unavailable", str(error)), HTTPStatus.SERVICE_UNAVAILABLE)
