"""From templates to answers. Nothing is read or compiled before somebody looks at a page."""

import datetime as dt
import functools
import hashlib
from importlib import resources
from typing import Any

from flask import Response, request
from jinja2 import Environment, PackageLoader, StrictUndefined

from dogid.web.access import COOKIE
from dogid.web.pages import words
from dogid.web.pages.versions import version

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
    made.globals.update(asset=asset_address, reason=words.reason, version=version)
    made.filters.update(
        certainty=words.certainty,
        when=words.when,
        in_full=words.moment_in_full,
        byte_count=words.byte_count,
        visible=words.visible,
    )
    return made
