"""What a request may be that brings photos: a form, or one photo as the body."""

from http import HTTPStatus

from flask import request

from dogid.file_names import one_line
from dogid.web.errors import ApiError
from dogid.web.server.limits import BODY_ALLOWANCE

FORM = "multipart/form-data"
BINARY = "application/octet-stream"
FIELD = "file"
"""The form's field with photos."""
_CURL_DEFAULT = "application/x-www-form-urlencoded"  # of `curl --data-binary @photo.jpg`, whatever the file is


def is_form(limit: int) -> bool:
    """Return whether the present request is a form; false where its body is a photo. Raise ApiError.

    limit: bytes that a photo may have. A body without a length is cut off by the server at its own limit.
    """
    request.max_content_length = limit + BODY_ALLOWANCE
    kind = request.mimetype
    if kind == FORM or kind in ("", BINARY, _CURL_DEFAULT) or kind.startswith("image/"):
        return kind == FORM
    raise ApiError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        f"{one_line(kind)[:80]} is not a photo; send one as the field `{FIELD}` of a form, or as an image",
    )
