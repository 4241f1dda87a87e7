"""The door: every request passes here before it reaches a view, and every answer on its way out."""

import logging
import math
from http import HTTPStatus

from flask import Flask, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from dogid.web.auth.access import COOKIE, SESSION_SECONDS, Access, same_origin
from dogid.web.auth.rate_limit import LoginRateLimit
from dogid.web.errors import ApiError

log = logging.getLogger(__name__)

LOGIN_PAGE = "/page/login"
_OPEN_TO_ALL = (LOGIN_PAGE, "/page/static/", "/login")
_LARGEST_LOGIN = 10_000  # bytes
_READING = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers say of a form's origin that it is null
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def add_access_checks(app: Flask, access: Access) -> None:
    """Have every request checked against access, and add the login that browsers need."""
    guesses = LoginRateLimit()

    @app.before_request
    def check() -> AnyResponse | None:
        _check_host(access)
        if access.token is not None and not request.path.startswith(_OPEN_TO_ALL):
            return _check_token(access, guesses)
        _check_origin()
        return None

    @app.post("/login")
    def login() -> AnyResponse:
        _check_origin()
        request.max_content_length = _LARGEST_LOGIN  # this much of a stranger's form is held in memory
        given = request.form.get("token", "").strip()
        if not access.accepts_token(given):
            _limit(guesses)
            _note_wrong(guesses)
            return redirect(f"{LOGIN_PAGE}?failed=1", HTTPStatus.SEE_OTHER)
        response = redirect("/", HTTPStatus.SEE_OTHER)
        response.set_cookie(COOKIE, access.session(), max_age=SESSION_SECONDS, httponly=True, samesite="Strict")
        return response

    @app.post("/logout")
    def logout() -> AnyResponse:
        response = redirect(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    app.after_request(_secured)


def _check_host(access: Access) -> None:
    if not access.knows_host(request.headers.get("Host")):
        raise ApiError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "unknown_host",
            "this machine is not known by that name; ask by its address, or name it in the setting allowed_hosts",
        )


def _check_token(access: Access, guesses: LoginRateLimit) -> AnyResponse | None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if access.accepts_token(given.strip()):
            return None  # a page of another site cannot know the token, so it may also write
        _limit(guesses)  # only the wrong ones: behind a proxy, all have one address
        _note_wrong(guesses)
    elif access.accepts_session(request.cookies.get(COOKIE)):
        _check_origin()
        return None
    elif request.method == "GET" and _wants_page():
        return redirect(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
    raise ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "a token is needed: Authorization: Bearer TOKEN",
        {"WWW-Authenticate": 'Bearer realm="dogid"'},
    )


def _check_origin() -> None:
    if request.method in _READING:
        return
    headers = request.headers
    if not same_origin(headers.get("Origin"), headers.get("Sec-Fetch-Site"), headers.get("Host")):
        raise ApiError(HTTPStatus.FORBIDDEN, "foreign_origin", "pages of other sites may not write here")


def _limit(guesses: LoginRateLimit) -> None:
    seconds = guesses.wait_seconds(_address())
    if seconds > 0:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_tries",
            "too many wrong tokens; wait a minute",
            {"Retry-After": str(math.ceil(seconds))},
        )


def _note_wrong(guesses: LoginRateLimit) -> None:
    """Count a wrong token, and tell: a person may want to know, and the limit keeps the log short."""
    guesses.note_wrong(_address())
    log.warning("a wrong token from %s", _address())


def _wants_page() -> bool:
    """Whether a person's browser asks, and not a program."""
    return "text/html" in request.headers.get("Accept", "")


def _address() -> str:
    return request.remote_addr or ""


def _secured(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
