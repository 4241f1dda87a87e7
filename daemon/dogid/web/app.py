"""The WSGI application: all endpoints and pages, behind the checks of access."""

import sqlite3
from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from dogid.conditions import LEDGER_DAMAGED
from dogid.errors import DogidError
from dogid.ledger.damage import is_damage
from dogid.web import pages
from dogid.web.api.classify_file import FileClassifier
from dogid.web.api.classify_upload import add_classify_endpoint
from dogid.web.api.contradictions import add_contradiction_endpoints
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, Parameter, QueryParams, ResponseSpec
from dogid.web.api.events import ExtraThread, add_events_endpoint
from dogid.web.api.export import add_export_endpoint
from dogid.web.api.learning import add_learning_endpoints
from dogid.web.api.metrics import add_metrics_endpoint
from dogid.web.api.models import add_models_endpoints
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.api.openapi import openapi_document
from dogid.web.api.responses import compress_response, json_response, prefers_page
from dogid.web.api.results import add_results_endpoints
from dogid.web.api.reviews import add_review_endpoints
from dogid.web.api.schema_parts import reference
from dogid.web.api.status import add_status_endpoints
from dogid.web.api.upload import ALLOWS_UPLOAD, add_upload_endpoint
from dogid.web.auth.access import Access
from dogid.web.auth.middleware import add_access_checks
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError, error_document
from dogid.web.older_answers import OlderAnswers
from dogid.web.recent_drift import RecentDrift

_ERROR = {JSON: reference("Error")}
_PAGE = {"type": "string"}

ROOT = Endpoint(
    "GET",
    "/",
    "With `file`: labels and probabilities of a photo in the inbox. Without: the web page",
    {
        200: ResponseSpec("Lists of labels and scores, or the page", {JSON: reference("Answer"), "text/html": _PAGE}),
        403: ResponseSpec("The file lies outside the inbox", _ERROR),
        404: ResponseSpec("There is no such file", _ERROR),
        422: ResponseSpec("The photo cannot be classified; the code says why", _ERROR),
        500: ResponseSpec("dogid or the model has a fault that this photo brings to light", _ERROR),
    },
    parameters=(Parameter("file", "a path inside the inbox"),),
)
OPENAPI = Endpoint(
    "GET",
    "/openapi.json",
    "This document",
    {200: ResponseSpec("OpenAPI 3.1", {JSON: {"type": "object"}})},
)


def create_app(daemon: DaemonView, access: Access, extra_thread: ExtraThread) -> Flask:
    """Return the WSGI application of a daemon.

    access: what requests need.
    extra_thread: gives the server one more thread while a stream of events lasts.
    """
    app = Flask("dogid", static_folder=None)
    app.config[ALLOWS_UPLOAD] = daemon.settings.allow_upload
    app.after_request(compress_response)
    add_access_checks(app, access)
    registry = EndpointRegistry(app)
    classifier = OnDemandClassifier(daemon)
    older_answers, drift = OlderAnswers(), RecentDrift()
    files = FileClassifier(daemon, classifier)

    def root(params: QueryParams) -> AnyResponse:  # noqa: ARG001
        return files.classify() if "file" in request.args else pages.index()

    def openapi(params: QueryParams) -> AnyResponse:  # noqa: ARG001
        return json_response(openapi_document(registry.endpoints))

    registry.add(ROOT, root)
    add_results_endpoints(registry, daemon)
    add_review_endpoints(registry, daemon, pages.review)
    add_classify_endpoint(registry, daemon, classifier)
    add_upload_endpoint(registry, daemon, pages.upload, pages.refused_upload)
    add_status_endpoints(registry, daemon, older_answers, drift, pages.status)
    add_models_endpoints(registry, daemon, pages.models)
    add_learning_endpoints(registry, daemon)
    add_contradiction_endpoints(registry, daemon)
    add_metrics_endpoint(registry, daemon, drift)
    add_events_endpoint(registry, daemon, extra_thread)
    add_export_endpoint(registry, daemon, extra_thread)
    registry.add(OPENAPI, openapi)
    pages.register(app, daemon, older_answers, drift)
    _add_error_handlers(app, daemon)
    return app


def _add_error_handlers(app: Flask, daemon: DaemonView) -> None:
    @app.errorhandler(ApiError)
    def api_error(error: ApiError) -> Response:
        response = json_response(error_document(error.code, error.message), error.status)
        response.headers.extend(error.headers)
        return response

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or 500)
        code = "too_large" if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE else status.phrase.lower().replace(" ", "_")
        if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED) and prefers_page():
            response = pages.missing(status)
        else:
            response = json_response(error_document(code, error.description or status.phrase), status)
        response.vary.add("Accept")
        for name, value in error.get_headers():
            if name.lower() in ("allow", "location", "retry-after"):
                response.headers[name] = value
        return response

    @app.errorhandler(DogidError)
    @app.errorhandler(sqlite3.DatabaseError)
    def ledger_error(error: DogidError | sqlite3.DatabaseError) -> Response:
        daemon.note_ledger_error(error)
        is_damaged = isinstance(error, sqlite3.DatabaseError) and is_damage(error)
        message = LEDGER_DAMAGED if is_damaged else str(error)
        return json_response(error_document("ledger_unavailable", message), HTTPStatus.SERVICE_UNAVAILABLE)
