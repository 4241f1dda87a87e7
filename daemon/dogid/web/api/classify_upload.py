"""`POST /classify`: a photo that is sent, answered, and kept nowhere."""

import hashlib
from http import HTTPStatus

from flask import Response, request

from dogid.clock import Clock
from dogid.file_names import one_line
from dogid.model.classify_photo import Classification
from dogid.result_document import Result, result_document
from dogid.web.api.endpoint import JSON, Endpoint, EndpointRegistry, QueryParams, ResponseSpec
from dogid.web.api.on_demand import OnDemandClassifier
from dogid.web.api.responses import json_response
from dogid.web.api.schemas import reference
from dogid.web.daemon_view import DaemonView
from dogid.web.errors import ApiError
from dogid.web.server.limits import BODY_ALLOWANCE

_FORM = "multipart/form-data"
_BINARY = "application/octet-stream"
_CURLS_OWN = "application/x-www-form-urlencoded"  # what `curl --data-binary @photo.jpg` says of any file
_LONGEST_NAME = 255
_BYTES = {"type": "string", "contentMediaType": "image/*", "minLength": 1}

CLASSIFY = Endpoint(
    "POST",
    "/classify",
    "The answer for a photo that is sent along; it is not stored",
    {
        200: ResponseSpec("What the photo shows", {JSON: reference("Result")}),
        400: ResponseSpec("No photo was sent", {JSON: reference("Error")}),
        403: ResponseSpec("Sent by a page of another site", {JSON: reference("Error")}),
        413: ResponseSpec("More bytes than max_upload", {JSON: reference("Error")}),
        415: ResponseSpec("Neither a form nor an image", {JSON: reference("Error")}),
        422: ResponseSpec("The photo cannot be classified; the code says why", {JSON: reference("Error")}),
    },
    body={
        _FORM: {
            "type": "object",
            "properties": {"file": {"type": "string", "contentMediaType": _BINARY, "minLength": 1}},
            "required": ["file"],
        },
        "image/*": _BYTES,
        _BINARY: {"type": "string", "contentMediaType": _BINARY, "minLength": 1},
    },
)


def add_classify_endpoint(registry: EndpointRegistry, daemon: DaemonView, classifier: OnDemandClassifier) -> None:
    """Add the endpoint."""
    limit = daemon.settings.max_upload
    clock = Clock()

    def classify(params: QueryParams) -> Response:  # noqa: ARG001
        with classifier.slot() as slot:
            name, data = _photo(limit)
            answer = classifier.classify(data, slot)
        return json_response(_result(name, data, answer, clock.wall_ms()))

    registry.add(CLASSIFY, classify)


def _photo(limit: int) -> tuple[str | None, bytes]:
    """The name and the bytes that the request carries. Raise ApiError."""
    # a body without a length is cut off by the server at its own limit
    request.max_content_length = limit + BODY_ALLOWANCE
    if request.mimetype == _FORM:
        file = request.files.get("file")
        if file is None:
            raise _nothing_sent()
        name, data = file.filename or None, file.stream.read(limit + 1)
    elif request.mimetype in ("", _BINARY, _CURLS_OWN) or request.mimetype.startswith("image/"):
        # the server has the body whole, and bounded: Werkzeug's own reading would hold it three times
        name, data = None, request.environ["wsgi.input"].read(limit + 1)
    else:
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            f"{one_line(request.mimetype)[:80]} is no photo; send it as the field `file` of a form, or as an image",
        )
    if not data:
        raise _nothing_sent()
    if len(data) > limit:
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"at most {limit} bytes may be sent (max_upload)"
        )
    return (name[:_LONGEST_NAME] if name else None), data


def _nothing_sent() -> ApiError:
    return ApiError(
        HTTPStatus.BAD_REQUEST,
        "no_photo",
        "no photo was sent: curl --form file=@photo.jpg, or --data-binary @photo.jpg",
    )


def _result(name: str | None, data: bytes, answer: Classification, now_ms: int) -> Result:
    """RESULT for a photo that is in no inbox and has no number."""
    return result_document(
        number=None,
        file=name,
        status="classified",
        scores=answer.best(),
        sha256=hashlib.sha256(data).hexdigest(),
        width=answer.width,
        height=answer.height,
        classified_ms=now_ms,
        model=answer.model,
        decode_ms=answer.decode_ms,
        invoke_ms=answer.invoke_ms,
        total_ms=round(answer.decode_ms + answer.invoke_ms, 3),
    )
