"""From templates to answers. Nothing is read or compiled before somebody looks at a page."""

import datetime as dt
import functools
import hashlib
from importlib import resources
from typing import Any

from flask import Response, request
from jinja2 import Environment, PackageLoader, StrictUndefined

from dogid.web.auth.access import COOKIE
from dogid.web.pages import formatting

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Render a template into an answer that nobody else may keep."""
    now = dt.datetime.now().astimezone()
    signed_in = COOKIE in request.cookies  # only a daemon that asks for a token gives one
    html = _environment().get_template(template).render(now=now, signed_in=signed_in, **values)
    answer = Response(html, status, mimetype="text/html")
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@functools.cache
def asset(name: str) -> tuple[bytes, str, str]:
    """Return content, media type and version of a static file. Raise KeyError where there is none of this name."""
    folder = resources.files(__package__) / "static"
    known = {entry.name: entry for entry in folder.iterdir()}
    data = known[name].read_bytes()
    media_type = _TYPES[name[name.rindex(".") :]]
    return data, media_type, hashlib.sha256(data).hexdigest()[:12]


def asset_address(name: str) -> str:
    """Return the address of a static file; another content has another address."""
    return f"/page/static/{name}?v={asset(name)[2]}"


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("dogid.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(asset=asset_address, reason=formatting.reason, version=version)
    made.filters.update(
        certainty=formatting.certainty,
        when=formatting.when,
        in_full=formatting.moment_in_full,
        byte_count=formatting.byte_count,
        visible=formatting.visible,
    )
    return made


_DIGITS = 12  # of the SHA-256; a guess is right once in 10**14


def version(sha256: str, size: tuple[int, int] | None = None) -> str:
    """Given a photo's SHA-256, and the model's (width, height) for what it saw, return the `v` of the address."""
    return sha256[:_DIGITS] if size is None else f"{sha256[:_DIGITS]}-{size[0]}x{size[1]}"
