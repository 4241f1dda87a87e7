"""`POST /classify`: an uploaded photo is classified and not stored."""

import hashlib
import tempfile
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response, request

from dogid.clock import Clock, parse_moment
from dogid.conditions import temporary_folder_unwritable
from dogid.model.classify_photo import Classification
from dogid.result_document import Result, result_document
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.api.photo_body import BINARY, FIELD, FORM, is_form
from dogid.web.api.responses import json_response
from dogid.web.api.schema_parts import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError

_MAX_NAME_LENGTH = 255  # characters, as file systems have it
_BYTES = {"type": "string", "contentMediaType": "image/*", "minLength": 1}

CLASSIFY = Endpoint(
    "POST",
    "/classify",
    "Classify the photo in the request's body; it is not stored",
    {
        200: ResponseSpec("The result", {JSON: reference("Result")}),
        400: ResponseSpec("The request has no photo", {JSON: reference("Error")}),
        403: ResponseSpec("Sent by a page of another site", {JSON: reference("Error")}),
        413: ResponseSpec("More bytes than max_upload", {JSON: reference("Error")}),
        415: ResponseSpec("Neither a form nor an image", {JSON: reference("Error")}),
        422: ResponseSpec("The photo cannot be classified; the code says why", {JSON: reference("Error")}),
        500: ResponseSpec("dogid or the model has a fault that this photo brings to light", {JSON: reference("Error")}),
        507: ResponseSpec("The temporary folder has no room for the photo", {JSON: reference("Error")}),
    },
    body={
        FORM: {
            "type": "object",
            "properties": {FIELD: {"type": "string", "contentMediaType": BINARY, "minLength": 1}},
            "required": [FIELD],
        },
        "image/*": _BYTES,
        BINARY: {"type": "string", "contentMediaType": BINARY, "minLength": 1},
    },
)


def add_classify_endpoint(registry: EndpointRegistry, daemon: DaemonView, classifier: OnDemandClassifier) -> None:
    """Add `POST /classify`."""
    limit = daemon.settings.max_upload
    clock = Clock()

    def classify(params: QueryParams) -> Response:  # noqa: ARG001
        with classifier.slot() as slot:
            name, data = _read_photo(limit)
            classification = classifier.classify(data, slot)
        return json_response(_make_result(name, data, classification, clock.wall_ms(), daemon.settings.thresholds))

    registry.add(CLASSIFY, classify)


def _read_photo(limit: int) -> tuple[str | None, bytes]:
    """Return the file name, if any, and the bytes of the photo in the request. Raise ApiError."""
    if is_form(limit):
        try:
            file = request.files.get(FIELD)
        except OSError as error:  # a large part of a form waits in a temporary file
            message = temporary_folder_unwritable(tempfile.gettempdir(), error)
            raise ApiError(HTTPStatus.INSUFFICIENT_STORAGE, "insufficient_storage", message) from error
        if file is None:
            raise _no_photo_error()
        name, data = file.filename or None, file.stream.read(limit + 1)
    else:
        # the server has the whole body already, within its limit; Werkzeug would hold it three times
        name, data = None, request.environ["wsgi.input"].read(limit + 1)
    if not data:
        raise _no_photo_error()
    if len(data) > limit:
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"at most {limit} bytes may be sent (max_upload)"
        )
    return (name[:_MAX_NAME_LENGTH] if name else None), data


def _no_photo_error() -> ApiError:
    return ApiError(
        HTTPStatus.BAD_REQUEST,
        "no_photo",
        "no photo was sent: curl --form file=@photo.jpg, or --data-binary @photo.jpg",
    )


def _make_result(
    name: str | None, data: bytes, classification: Classification, now_ms: int, thresholds: Mapping[str, float]
) -> Result:
    """Return the result document of a photo that is in no inbox and has no id."""
    return result_document(
        number=None,
        file=name,
        status="classified",
        scores=classification.best(),
        sha256=hashlib.sha256(data).hexdigest(),
        width=classification.width,
        height=classification.height,
        taken_ms=None if classification.taken_at is None else parse_moment(classification.taken_at),
        classified_ms=now_ms,
        model=classification.model,
        decode_ms=classification.decode_ms,
        invoke_ms=classification.invoke_ms,
        total_ms=round(classification.decode_ms + classification.invoke_ms, 3),
        thresholds=thresholds,
    )
