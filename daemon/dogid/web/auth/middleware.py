"""Checks of every request before it reaches a view, and security headers of every response."""

import logging
import math
from http import HTTPStatus

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from dogid.web.auth.access import COOKIE, SESSION_SECONDS, Access, same_origin
from dogid.web.auth.rate_limit import LoginRateLimit
from dogid.web.errors import ApiError

log = logging.getLogger(__name__)

LOGIN_PAGE = "/page/login"
_PUBLIC_PATHS = (LOGIN_PAGE, "/page/static/", "/login")
_MAX_LOGIN_BYTES = 10_000  # a token and the form around it
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with no-referrer, browsers send forms with the origin null
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def add_access_checks(app: Flask, access: Access) -> None:
    """Check every request of an application against access, and add the login for browsers."""
    rate_limit = LoginRateLimit()

    @app.before_request
    def check() -> AnyResponse | None:
        _check_host(access)
        if access.token is not None and not request.path.startswith(_PUBLIC_PATHS):
            return _check_token(access, rate_limit)
        _check_origin()
        return None

    @app.post("/login")
    def login() -> AnyResponse:
        _check_origin()
        request.max_content_length = _MAX_LOGIN_BYTES  # a form of a client without the token is held in memory
        token = request.form.get("token", "").strip()
        if not access.accepts_token(token):
            _check_rate_limit(rate_limit)
            _record_failure(rate_limit)
            return redirect(f"{LOGIN_PAGE}?failed=1", HTTPStatus.SEE_OTHER)
        response = redirect("/", HTTPStatus.SEE_OTHER)
        response.set_cookie(COOKIE, access.make_session(), max_age=SESSION_SECONDS, httponly=True, samesite="Strict")
        return response

    @app.post("/logout")
    def logout() -> AnyResponse:
        response = redirect(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response

    app.after_request(_add_security_headers)


def is_signed_in() -> bool:
    """Return whether the present request comes from a browser whose session was accepted: anybody can send a cookie."""
    return bool(g.get("is_signed_in", False))


def _check_host(access: Access) -> None:
    if not access.allows_host(request.headers.get("Host")):
        raise ApiError(
            HTTPStatus.MISDIRECTED_REQUEST,
            "unknown_host",
            "unknown Host header; use the address of this machine, or add the name to the setting allowed_hosts",
        )


def _check_token(access: Access, rate_limit: LoginRateLimit) -> AnyResponse | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if access.accepts_token(token.strip()):
            return None  # pages of other sites do not know the token, so that the origin need not be checked
        _check_rate_limit(rate_limit)  # for wrong tokens only: behind a proxy, all clients have one address
        _record_failure(rate_limit)
    elif access.accepts_session(request.cookies.get(COOKIE)):
        _check_origin()
        g.is_signed_in = True
        return None
    elif request.method == "GET" and _accepts_html():
        return redirect(LOGIN_PAGE, HTTPStatus.SEE_OTHER)
    raise ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "a token is needed: Authorization: Bearer TOKEN",
        {"WWW-Authenticate": 'Bearer realm="dogid"'},
    )


def _check_origin() -> None:
    if request.method in _SAFE_METHODS:
        return
    headers = request.headers
    if not same_origin(headers.get("Origin"), headers.get("Sec-Fetch-Site"), headers.get("Host")):
        raise ApiError(HTTPStatus.FORBIDDEN, "foreign_origin", "pages of other sites may not write here")


def _check_rate_limit(rate_limit: LoginRateLimit) -> None:
    seconds = rate_limit.wait_seconds(_client_address())
    if seconds > 0:
        raise ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too_many_tries",
            "too many wrong tokens; wait a minute",
            {"Retry-After": str(math.ceil(seconds))},
        )


def _record_failure(rate_limit: LoginRateLimit) -> None:
    """Count and log a wrong token; the rate limit keeps the log short."""
    rate_limit.record_failure(_client_address())
    log.warning("wrong token from %s", _client_address())


def _accepts_html() -> bool:
    """Return whether a browser asks for a page, and not a program for data."""
    return "text/html" in request.headers.get("Accept", "")


def _client_address() -> str:
    return request.remote_addr or ""


def _add_security_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    return response
