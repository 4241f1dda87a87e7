"""The error response, as API.md describes it, to a request that is refused before it reaches the application."""

import json

from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge

from dogid.web.errors import error_document
from dogid.web.server.limits import BODY_ALLOWANCE
from dogid.web.server.request_parser import UploadLimitError


class RefusedTask(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """Sends the error, and ends the connection."""

    def execute(self) -> None:
        """Send the answer to `request`, whose `error` says why it is refused."""
        error: Error = self.request.error
        self.request.headers.pop("CONNECTION", None)  # the connection ends, also if it was to be kept
        code, message = error.reason.lower().replace(" ", "_"), error.body
        if error.code == RequestEntityTooLarge.code:
            limit = self.channel.adj.max_request_body_size - BODY_ALLOWANCE
            code, message = "too_large", f"at most {limit} bytes may be sent (max_upload)"
        body = json.dumps(error_document(code, message)).encode() + b"\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers = [
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/json"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ]
        if error.code == UploadLimitError.code:
            self.response_headers.append(("Retry-After", "5"))
        self.close_on_finish = True
        self.channel.is_refused = True
        self.content_length = len(body)
        self.write(body)
