"""Rendering templates. Nothing is read or compiled before the first request for a page."""

import datetime as dt
import functools
import hashlib
import re
from importlib import resources
from typing import Any

from flask import Response, current_app, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dogid.web.api.upload import ALLOWS_UPLOAD
from dogid.web.auth.access import COOKIE
from dogid.web.pages import formatting
from dogid.web.pages.certainty import near_label
from dogid.web.pages.chart import HEIGHT, WIDTH, build_chart
from dogid.web.pages.daily_counts import REST, DailyCounts
from dogid.web.pages.filters import PhotoFilter, label_link
from dogid.web.pages.label_colours import label_colour

_INDENT_OR_COMMENT = re.compile(rb"(?m)^[ \t]*//[^\n]*\n|^[ \t]+|[ \t]+// [^\n\"'`]*$")
"""Of static files: a tenth of the page's script, which browsers need not load. No comment has a quote in it, so that
none is taken for one within a text."""
_STYLE_COMMENT = re.compile(rb"/\*.*?\*/", re.DOTALL)
_STYLE_SPACE = re.compile(rb"\s*([{}])\s*|([;:,])\s+")
"""Of style sheets; not before a colon, as `a :hover` is not `a:hover`."""
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def render_page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a response with a rendered template, which shared caches may not keep."""
    now = dt.datetime.now().astimezone()
    signed_in = COOKIE in request.cookies  # only a daemon that requires a token sets one
    shared = {"now": now, "signed_in": signed_in, "allows_upload": current_app.config[ALLOWS_UPLOAD]}
    html = _make_environment().get_template(template).render(**shared, **values)
    response = Response(html, status, mimetype="text/html")
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@functools.lru_cache(maxsize=8)
def draw_days(daily: DailyCounts) -> tuple[Markup, Markup]:
    """Return the chart of some counts, and their table, as HTML. Most pages have the same ones as the page before."""
    module = (
        _make_environment()
        .get_template("chart.html")
        .make_module(
            {
                "daily": daily,
                "chart": build_chart(daily),
                "chart_size": (WIDTH, HEIGHT),
                "rest": REST,
                "no_filter": PhotoFilter(),
            }
        )
    )
    return module.day_chart(), module.day_table()  # type: ignore[attr-defined]


@functools.cache
def load_asset(name: str) -> tuple[bytes, str, str]:
    """Return content, media type and version of a static file. Raise KeyError where there is no file of this name."""
    folder = resources.files(__package__) / "static"
    known = {entry.name: entry for entry in folder.iterdir()}
    media_type = _TYPES[name[name.rindex(".") :]]
    data = _INDENT_OR_COMMENT.sub(b"", known[name].read_bytes())
    if media_type == "text/css":
        data = _STYLE_SPACE.sub(rb"\1\2", _STYLE_COMMENT.sub(b"", data)).replace(b";}", b"}")
    return data, media_type, hashlib.sha256(data).hexdigest()[:12]


def asset_url(name: str) -> str:
    """Return the URL of a static file; it changes with the content, so that browsers may keep the file for ever."""
    return f"/page/static/{name}?v={load_asset(name)[2]}"


@functools.cache
def _make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dogid.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        asset_url=asset_url,
        explain_error=formatting.explain_error,
        error_detail=formatting.error_detail,
        content_version=content_version,
        near_label=near_label,
        label_colour=label_colour,
        label_link=label_link,
    )
    environment.filters.update(
        percentage=formatting.percentage,
        short_time=formatting.short_time,
        day=formatting.day,
        full_time=formatting.full_time,
        byte_count=formatting.byte_count,
        visible=formatting.visible,
        elide=formatting.elide,
    )
    return environment


_VERSION_DIGITS = 12
"""Of the SHA-256: 48 bits. Fewer might give two photos the same URL, more make pages longer."""


def content_version(sha256: str, size: tuple[int, int] | None = None) -> str:
    """Return the parameter `v` of a picture's URL, which changes with its content.

    sha256: of the photo.
    size: (width, height) of the model's input, for a picture of that.
    """
    return sha256[:_VERSION_DIGITS] if size is None else f"{sha256[:_VERSION_DIGITS]}-{size[0]}x{size[1]}"
